"""A cycle holds the listings that are on their way and no others: its memory is bounded by the largest, not by their sum."""

import contextlib
import gzip
import json
import subprocess
import sys
import textwrap
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNTS, SNAPSHOTS = 60, 4_000

# Polls once with as many accounts as it is told of, and prints how many MiB more than before it needed while polling.
POLLING = textwrap.dedent(
    """
    import json, resource, sys
    from pathlib import Path
    import httpx, metering.ingest.ingest, metering.collector.metrics
    from metering.api import Meter
    from metering.config import load_settings
    from metering.collector import service
    from metering.collector.spool_ingest import SpoolOutcome

    def peak_mib():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    service.ingest_waiting = lambda *_: SpoolOutcome()  # the engine has a bound of its own
    with Meter(load_settings(Path(sys.argv[1]))) as meter:
        before = peak_mib()
        report = meter.collect()
    print(json.dumps([report.polls, report.samples, [f.text for f in report.failures], peak_mib() - before]))
    """
)


class Provider(BaseHTTPRequestHandler):
    """Gives every account a large listing of its own, packed once, and empty lists of everything else."""

    protocol_version = "HTTP/1.1"
    template = b""

    def do_GET(self):
        account = b64decode(self.headers["Authorization"].split()[1]).split(b":")[0]
        listed = self.path.startswith("/api/2.0/remotesnapshots/")
        body = (
            gzip.compress(self.template.replace(b"ACCOUNT", account), 1)
            if listed
            else b'{"meta": {"total_count": 0}, "objects": []}'
        )
        self.send_response(200)
        if listed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing."""


@contextlib.contextmanager
def providing(snapshots):
    objects = [
        {
            "uuid": f"00000000-0000-4000-8000-{number:012}", "name": "n" * 200, "status": "available", "location": "ZRH",
            "allocated_size": number, "drive": None, "owner": {"uuid": "ACCOUNT"}, "meta": {"filling": "x" * 500},
        }
        for number in range(snapshots)
    ]  # fmt: skip
    text = json.dumps({"meta": {"limit": 0, "offset": 0, "total_count": snapshots}, "objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (Provider,), {"template": text.encode()}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, len(text)
    finally:
        server.shutdown()
        server.server_close()


def polled(folder, port, accounts):
    folder.mkdir()
    text = f'store = "{folder}/s.duckdb"\n[collect]\nspool = "{folder}/spool"\nconcurrency = 2\n'
    text += f'[endpoints.ZRH]\nurl = "http://127.0.0.1:{port}/api/2.0/"\n'
    for number in range(accounts):
        text += (
            f'[accounts.a{number}]\naccount = "account{number}"\nusername = "account{number}"\npassword_env = "POLLED_PASSWORD"\n'
        )
    (folder / "metering.toml").write_text(text)
    program = [sys.executable, "-c", POLLING, str(folder / "metering.toml")]
    done = subprocess.run(
        program, capture_output=True, text=True, check=True, env={"POLLED_PASSWORD": "x", "PATH": "/usr/bin:/bin"}
    )
    return json.loads(done.stdout)


def test_a_cycle_of_many_large_listings_holds_a_few_of_them(tmp_path):
    with providing(SNAPSHOTS) as (port, length):
        polls, samples, failures, grown_mib = polled(tmp_path / "many", port, ACCOUNTS)
    assert (polls, samples, failures) == (ACCOUNTS, ACCOUNTS * SNAPSHOTS, [])
    # As text alone they are 205 MiB, as objects five times that; two at once and what waits for the disk are 85.
    assert grown_mib * 3 < ACCOUNTS * length * 2 // 2**20
