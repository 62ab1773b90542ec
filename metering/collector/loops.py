"""Work that waits for many answers at once runs on an event loop; its caller has none or, as in a notebook, one that runs."""

import asyncio
import contextlib
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Given = TypeVar("Given")


def run_to_end(work: Coroutine[Any, Any, Given]) -> Given:
    """Run work on a loop of its own and give what it gives: here, or in a thread where a loop runs here already.

    Whoever interrupts the wait for that thread ends the work first.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def told() -> Given:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- asyncio.run makes one
        begun.set_result((asyncio.get_running_loop(), task))
        return await work

    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(lambda: asyncio.run(told()))
        try:
            return running.result()
        except BaseException:
            if not running.done():
                loop, task = begun.result()
                with contextlib.suppress(RuntimeError):  # it came to its end just now
                    loop.call_soon_threadsafe(task.cancel)
            raise
