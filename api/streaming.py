"""Server-sent events of one question: heartbeats while there is nothing to say, and a clean end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from api.problems import report_bug
from rag.domain.errors import RagError

HEARTBEAT_S: Final = 10.0
MEDIA_TYPE: Final = "text/event-stream"
_HEARTBEAT: Final = b": heartbeat\n\n"
_WAITING_MAX: Final = 64

Put = Callable[[bytes], Awaitable[None]]


async def streamed(
    produce: Callable[[Put], Awaitable[None]], failed: Callable[[RagError], bytes], path: str
) -> AsyncIterator[bytes]:
    """What `produce` puts, as it comes; a reader who is slow slows it down.

    Args:
        failed: the event that ends a stream half-way; a bug is told as an error without details.
        path: of the request, for the log.
    """
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=_WAITING_MAX)
    task = asyncio.create_task(_run(produce, failed, path, queue))
    try:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    event = await queue.get()
            except TimeoutError:
                yield _HEARTBEAT
                continue
            if event is None:
                return
            yield event
    finally:
        # The client left, or all is said: nothing may go on working for nobody.
        task.cancel()


async def _run(
    produce: Callable[[Put], Awaitable[None]],
    failed: Callable[[RagError], bytes],
    path: str,
    queue: asyncio.Queue[bytes | None],
) -> None:
    try:
        await produce(queue.put)
    except RagError as exc:
        await queue.put(failed(exc))
    except Exception as exc:
        report_bug(exc, path)
        await queue.put(failed(RagError("")))
    # Not when cancelled: nobody reads any more, and a full queue would hold us here for ever.
    await queue.put(None)
