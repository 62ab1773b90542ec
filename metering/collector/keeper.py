"""Responses into the spool while more are coming: whoever keeps one waits until it is durable, and many share one fsync."""

import asyncio
from collections.abc import Callable
from typing import Any

from metering.collector.spool import Batch, Kind, Spool
from metering.ingest.failure import RequestFailure

# How long a batch stays open for others, and how large it may grow. A crash loses no more than this, and none of it was durable.
_LINGER_MS = 200
_LARGE_BYTES = 2**20
_BATCH_BYTES = 64 * 2**20
# How much may wait to become durable before nothing more is asked for.
_WAITING_BYTES = 16 * 2**20


class Keeper:
    """Makes lines durable in batches, from many tasks of one event loop."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._lock = asyncio.Lock()
        self._batch: Batch | None = None
        self._durable: asyncio.Future[OSError | None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._waiting_bytes = 0
        self._has_ended = False
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def room(self) -> None:
        """Wait until what came before is durable, or nearly: a fast provider and a slow disk fill no memory."""
        await self._has_room.wait()

    async def keep(self, kind: Kind, line: str) -> None:
        """Write a line and wait until it is durable.

        Raises:
            RequestFailure: the spool cannot be written, such as for a full disk; the line is not kept.
            CancelledError: it comes after the end; the line is not kept, as if its answer had not come any more.
        """
        if self._has_ended:
            raise asyncio.CancelledError
        self._wait_for(len(line))
        try:
            await self._keep(kind, line)
        finally:
            self._wait_for(-len(line))

    def _wait_for(self, more_bytes: int) -> None:
        self._waiting_bytes += more_bytes
        if self._waiting_bytes < _WAITING_BYTES:
            self._has_room.set()
        else:
            self._has_room.clear()

    async def _keep(self, kind: Kind, line: str) -> None:
        async with self._lock:
            durable = self._open()
            assert self._batch is not None  # noqa: S101 -- opened just now
            try:
                if len(line) < _LARGE_BYTES:
                    self._batch.append(kind, line)
                else:
                    await _to_its_end(self._batch.append, kind, line)
            except OSError as trouble:
                self._batch.drop()
                self._settle(trouble)
            else:
                if self._batch.size >= _BATCH_BYTES:
                    await self._seal()
        error = await asyncio.shield(durable)
        if error is not None:
            raise RequestFailure("spool", f"{self._spool.folder} cannot be written: {error.strerror}")

    async def flush(self) -> None:
        """Make durable what was written so far."""
        async with self._lock:
            await self._seal()

    def begin(self) -> None:
        """Take lines, again if there was an end."""
        self._has_ended = False

    async def end(self) -> None:
        """Take no line any more, and wait until whoever gave one knows what came of it."""
        self._has_ended = True
        # A line that came while others were made durable is in a batch of its own.
        while self._waiting_bytes:
            await self.flush()
            await asyncio.sleep(0)

    def _open(self) -> "asyncio.Future[OSError | None]":
        if self._durable is None or self._batch is None:
            self._batch = self._spool.batch()
            self._durable = asyncio.get_running_loop().create_future()
            self._closing = asyncio.create_task(self._seal_later())
        return self._durable

    async def _seal_later(self) -> None:
        await asyncio.sleep(_LINGER_MS / 1_000)
        await self.flush()

    async def _seal(self) -> None:
        if self._batch is None:
            return
        try:
            await _to_its_end(self._batch.seal)
        except OSError as error:
            self._settle(error)
        else:
            self._settle(None)

    def _settle(self, error: OSError | None) -> None:
        if self._durable is not None and not self._durable.done():
            self._durable.set_result(error)
        if self._closing is not None and self._closing is not asyncio.current_task():
            self._closing.cancel()
        self._batch = self._durable = self._closing = None


async def _to_its_end(work: Callable[..., object], *values: Any) -> None:
    """Run work in a thread and wait for its end, even if we are cancelled meanwhile: nobody else may write until then."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *values))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
