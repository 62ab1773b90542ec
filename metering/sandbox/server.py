"""The emulated provider as a server: the API of six locations under one roof, each under a path (`/ZRH/api/2.0/…`) of its own.

`running` serves a world on a loopback port in a thread, for tests; `Server` is what `metering sandbox serve` runs.
"""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import uvicorn

from metering.model.errors import InputError
from metering.sandbox.server_call import Sandbox
from metering.sandbox.server_faults import Faults
from metering.sandbox.server_front import API_PATH, Front, Receive, Scope, Send
from metering.sandbox.world import World

# Who listens at every address of the machine is reached from here by its own.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- what others chose


def root_url(host: str, port: int) -> str:
    """Give the address by which a server is reached from this machine.

    >>> root_url("::", 8600)
    'http://[::1]:8600'
    """
    here = _EVERYWHERE.get(host, host)
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that is being served, as a test sees it."""

    sandbox: Sandbox
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where the server is: `http://127.0.0.1:PORT`."""
        return root_url(self.host, self.port)

    @property
    def world(self) -> World:
        """The world that is served; step it with `advance`."""
        return self.sandbox.world

    @property
    def faults(self) -> Faults:
        """The fault switches."""
        return self.sandbox.faults

    def endpoint(self, location: str) -> str:
        """Give the base URL of a location's API, with its last slash."""
        return f"{self.url}/{location}{API_PATH}/"

    @property
    def endpoints(self) -> dict[str, str]:
        """The base URL of every location's API."""
        return {location: self.endpoint(location) for location in self.world.locations}

    def advance(self, seconds: int) -> int:
        """Let virtual time pass; gives the new instant."""
        return self.world.advance(seconds)


class _Unsignalled(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class Server:
    """A uvicorn server of one front on one port, to be run here or in a thread."""

    def __init__(self, sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0, location: str | None = None) -> None:
        self.front = Front(sandbox, location)
        self.socket = _listening(host, port)
        self.host, self.port = self.socket.getsockname()[:2]
        config = uvicorn.Config(
            self._app, log_level="error", access_log=False, date_header=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=2, interface="asgi3",
        )  # fmt: skip
        self._server = _Unsignalled(config)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ConnectionAbortedError):
            await self.front(scope, receive, send)

    async def serve(self) -> None:
        """Serve until `stop`."""
        async with _released(self.front, self._server):
            await self._server.serve(sockets=[self.socket])

    def stop(self) -> None:
        """Ask the server to end; what hangs is let go."""
        self._server.should_exit = True

    @property
    def url(self) -> str:
        """Where the server is: `http://127.0.0.1:PORT`."""
        return root_url(self.host, self.port)

    @property
    def started(self) -> bool:
        """Whether it listens."""
        return self._server.started


async def serve_until_signal(sandbox: Sandbox, servers: list[Server], started: Callable[[], None]) -> None:
    """Serve on several ports until SIGINT or SIGTERM; the world's clock goes on also when nobody asks.

    `started` is called when all of them listen.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    serving = [asyncio.create_task(server.serve()) for server in servers]
    started()
    while not ended.is_set() and not any(task.done() for task in serving):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), timeout=1)
        with sandbox.world.lock:
            sandbox.catch_up()
    for server in servers:
        server.stop()
    await asyncio.gather(*serving)
    for server in servers:
        server.socket.close()


def _listening(host: str, port: int) -> socket.socket:
    """Listen; asyncio turns Nagle's delay off (40 ms an answer) only where a socket says that it is TCP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2_048)
    except OSError as error:
        listening.close()
        raise InputError(f"cannot listen on {host}, port {port} ({error.strerror}); choose another --port or --host") from None
    return listening


@contextlib.asynccontextmanager
async def _released(front: Front, server: uvicorn.Server) -> AsyncIterator[None]:
    """Let go of what hangs as soon as the server is to end."""

    async def watch() -> None:
        while not server.should_exit:  # noqa: ASYNC110 -- uvicorn has a flag and no event
            await asyncio.sleep(0.05)
        front.release.set()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


@contextlib.contextmanager
def running(
    world: World, *, faults: Faults | None = None, speed: int = 0, host: str = "127.0.0.1", port: int = 0
) -> Iterator[Running]:
    """Serve a world on a loopback port in a thread, for as long as the block runs.

    Example:
        with running(world) as sandbox:
            client.get(sandbox.endpoint("ZRH") + "remotesnapshots/", auth=("a@example.com", "secret"))
            sandbox.faults.add("hang", location="GVA")
            sandbox.advance(300)
    """
    sandbox = Sandbox(world, faults or Faults(seed=world.seed), default_location=world.locations[0])
    sandbox.set_speed(speed)
    server = Server(sandbox, host, port)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="sandbox", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield Running(sandbox, server.host, server.port)
    finally:
        server.stop()
        thread.join(timeout=10)
        server.socket.close()
