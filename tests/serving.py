"""A server in a thread of the tests' own, for as long as somebody asks it."""

import contextlib
import threading


@contextlib.contextmanager
def running(server):
    """Run a server of the standard library; it is closed in the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
