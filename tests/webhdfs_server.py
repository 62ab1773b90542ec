"""A folder served as WebHDFS on loopback: files that Spark, and each of its machines, reach by a URL only.

A client of this protocol comes with pyspark; those of object stores do not. Source: the WebHDFS REST API of Apache Hadoop.
"""

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from serving import running

_ROOT = "/webhdfs/v1/"


class _Handler(BaseHTTPRequestHandler):
    root: Path
    names: list[str]

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        # The client quotes what a URL must, and leaves letters beyond ASCII as the bytes they are.
        parts = urlsplit(self.path.encode("latin-1").decode())
        query = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
        place = self.root / unquote(parts.path).removeprefix(_ROOT)
        operation = query["op"].upper()
        if not place.exists():
            self._refuse(404, "FileNotFoundException", f"File does not exist: {place.name}")
        elif operation == "OPEN":
            self._open(place, query)
        elif operation == "GETFILESTATUS":
            self._say(200, {"FileStatus": _status(place, "")})
        elif operation == "LISTSTATUS":
            found = [(one, one.name) for one in sorted(place.iterdir())] if place.is_dir() else [(place, "")]
            self._say(200, {"FileStatuses": {"FileStatus": [_status(one, name) for one, name in found]}})
        elif operation == "GETFILEBLOCKLOCATIONS":
            self._say(200, {"BlockLocations": {"BlockLocation": []}})
        else:
            self._refuse(400, "UnsupportedOperationException", f"{operation} is not served here")

    def _open(self, place: Path, query: dict[str, str]) -> None:
        if "datanode" not in query:
            # The protocol's first answer names who has the bytes.
            self.send_response(307)
            self.send_header("Location", f"http://{self.headers['Host']}{self.path}&datanode=this")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.names.append(place.name)
        start = int(query.get("offset", "0"))
        end = start + int(query["length"]) if "length" in query else None
        self._send(200, place.read_bytes()[start:end])

    def _refuse(self, code: int, exception: str, message: str) -> None:
        self._say(code, {"RemoteException": {"exception": exception, "message": message}})

    def _say(self, code: int, document: dict[str, object]) -> None:
        self._send(code, json.dumps(document).encode())

    def _send(self, code: int, body: bytes) -> None:
        # Without a Content-Type: to read one, the client wants a class that Spark's build of it lacks.
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # Who reads a file's tail hangs up when he has seen enough.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)


@contextlib.contextmanager
def served_folder(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder; give its URL, and the names of the files whose bytes were asked for, as they are."""
    asked: list[str] = []

    class Handler(_Handler):
        root = folder
        names = asked

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with running(server):
        yield f"webhdfs://127.0.0.1:{server.server_port}", asked


def _status(place: Path, name: str) -> dict[str, object]:
    is_folder = place.is_dir()
    return {
        "pathSuffix": name, "type": "DIRECTORY" if is_folder else "FILE", "length": 0 if is_folder else place.stat().st_size,
        "owner": "facts", "group": "facts", "permission": "755" if is_folder else "644", "accessTime": 0, "modificationTime": 0,
        "blockSize": 0 if is_folder else 134_217_728, "replication": 0 if is_folder else 1, "fileId": 0, "childrenNum": 0,
        "storagePolicy": 0,
    }  # fmt: skip
