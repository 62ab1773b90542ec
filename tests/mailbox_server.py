"""A receiver of alerts on this machine, which answers as a test tells it to and keeps what came."""

import contextlib
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from serving import running


class Receiver(ThreadingHTTPServer):
    """Answers each request with the next status, the last one for ever; a status below 100 breaks the connection."""

    daemon_threads = True

    def __init__(self, statuses, location=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses, self.location, self.came = list(statuses), location, []
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook?token=of-the-address"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            server.came.append((self.path, dict(self.headers), body))
            status = server.statuses.pop(0) if len(server.statuses) > 1 else server.statuses[0]
        if status < 100:
            self.connection.close()
            return
        self.send_response(status)
        if server.location:
            self.send_header("Location", server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.server.came.append((self.path, dict(self.headers), b""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args):
        """Say nothing."""


@contextlib.contextmanager
def receiving(*statuses, location=None, tls=None):
    """Run a receiver, with a TLS context if there is one."""
    server = Receiver(statuses or (204,), location)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield server


class _Trickling(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(2**16)
        with contextlib.suppress(OSError):
            self.request.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
            for _ in range(100):
                self.request.sendall(b"x")
                time.sleep(0.05)


@contextlib.contextmanager
def trickling():
    """Run a receiver whose answer comes a byte at a time and is never whole; give its address. It gives up after five seconds."""
    with running(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Trickling)) as server:
        server.daemon_threads = True
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
