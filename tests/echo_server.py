"""A provider, or a proxy before it, that repeats whoever asks: the login stands in whatever it answers, in every form."""

import base64
import contextlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from serving import running

ACCOUNT = "0a4a6c2e-5a4f-4f0e-8f43-0000000000aa"


def written_out(text):
    """Write text as JSON may too: by the numbers of its characters."""
    return "".join(f"\\u{ord(character):04x}" for character in text)


def forms(header):
    """Give a login as the header has it, and what may be made of that; each is one text of JSON without its quotes."""
    encoded = header.partition(" ")[2]
    password = base64.b64decode(encoded).decode().partition(":")[2]
    alone = base64.b64encode(password.encode()).decode()
    plain = [header, password, encoded.rstrip("="), alone, f"a {password} b", encoded.replace("/", "\\/")]
    return [*plain, written_out(password), written_out(encoded)]


class Echo(ThreadingHTTPServer):
    """Repeats the login in the `place` that is set, one of PLACES; in none at first."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.place = ""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/api/2.0/"


INSTANT = "2026-10-01 00:00:00+00:00"
ROWS = {
    "remotesnapshots": {
        "uuid": "s1", "name": "disk", "status": "available", "allocated_size": 5, "location": "ZRH", "drive": {"uuid": "d1"},
        "owner": {"uuid": ACCOUNT}, "meta": {}, "timestamp": INSTANT,
    },
    "subscriptions": {
        "id": "1", "resource": "backup", "amount": "1", "start_time": INSTANT, "end_time": "2026-11-01 00:00:00+00:00",
        "price": "1", "status": "active", "currency": "CHF",
    },
    "pricing": {
        "id": "1", "resource": "backup", "currency": "CHF", "level": 0, "price": "0.1", "unit": "GB/month",
        "multiplier": "2783138807808000",
    },
    "discount": {"period": "3 months", "value": "0.03"},
    "locations": {"id": "ZRH", "display_name": "Zurich", "country_code": "CH", "api_endpoint": "https://zrh.example/"},
    "ledger": {
        "id": "1", "time": INSTANT, "poll_time": INSTANT, "amount": "0.1", "interval": 300, "resource_amount": "5",
        "reason": "Burst: 4.50 GB of backup for 5 minutes at 2026-10-05 09:06",
    },
    "usage": {"amount": "5", "poll_time": INSTANT, "resource": "backup", "uuid": "s1"},
    "dailyburstusage": {"date": "2026-10-01", "amount": "0.1", "resource_type": "backup", "usage": "5"},
}  # fmt: skip
# Where a login may stand: in any field of any list, beside them, in an error, or in the head of an answer.
FIELDS = sorted({name for row in ROWS.values() for name in row})
HEADS = {"an error": 400, "the reason": 401, "the headers": 503, "a redirect": 302}
PLACES = [*FIELDS, "a key", "beside", *HEADS]
_HEADERS = ("X-Echo", "Set-Cookie", "WWW-Authenticate", "Retry-After", "Age")


def listing(resource, place, said):
    """Give the objects of a list as text, one for each form of a login, which stands where `place` says."""
    objects = []
    for number, form in enumerate(said):
        row = dict(ROWS[resource])
        for name in ("uuid", "id"):
            if name in row and resource != "locations":
                row[name] = f"{name}-{number}"
        if place in row or place == "a key":
            row |= {"@": "@"} if place == "a key" else {place: "@"}
        objects.append(json.dumps(row).replace("@", form))
    return objects


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        header, place, resource = self.headers["Authorization"], self.server.place, self.path.split("/")[3]
        said, status = forms(header), HEADS.get(place, 200)
        if status == 400:
            content = json.dumps([{"error_type": header, "error_message": header, "error_point": said}])
        elif resource not in ROWS:
            content = f'{{"currency": "{said[1] if place == "currency" else "CHF"}", "uuid": "{ACCOUNT}"}}'
        else:
            objects = listing(resource, place, said)
            more = "".join(f', "{number} {form}": "{form}"' for number, form in enumerate(said)) if place == "beside" else ""
            # What is left out of two rows may make them one: how many there are is not told.
            offset = int(parse_qs(urlsplit(self.path).query).get("offset", ["0"])[0])
            meta = f'{{"limit": 0, "offset": {offset}, "total_count": 0}}'
            content = f'{{"meta": {meta}, "objects": [{", ".join(objects[offset:])}]{more}}}'
        self.send_response(status, header if place == "the reason" else None)
        self.send_header("Content-Length", str(len(content.encode())))
        for name in _HEADERS if place in ("the headers", "a redirect") else ():
            self.send_header(name, header)
        if place == "a redirect":
            self.send_header("Location", f"https://elsewhere.example/?{header}")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_args):
        """Say nothing."""


@contextlib.contextmanager
def echoing():
    """Run a provider that repeats whoever asks."""
    with running(Echo()) as server:
        yield server
