"""The parser as the belt sees it: a few children, each with one document at a time.

A document can crash, hang or bloat only its child. The child is then killed with all its group,
the document fails with the reason, and the next one gets a fresh child.
"""

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import rag
from rag.adapters.parsers.canonical import CANONICAL_VERSION, Limits
from rag.domain.document import Element, ElementKind, ParsedDocument, RawDocument
from rag.domain.errors import DocumentError, ParseFailed, TooLarge
from rag.domain.words import Span

START_S: Final = 60.0
# JSON writes a character in at most twelve bytes; sections are repeated on every element.
ANSWER_BYTES_PER_CHAR: Final = 16
OFFLOAD_BYTES: Final = 200_000
_LENGTH: Final = struct.Struct(">Q")
_LIMITS: Final = Limits()


class _ChildDiedError(Exception):
    """The child ended or spoke nonsense instead of answering."""


@dataclass(slots=True)
class _Slot:
    """A place for one child, which comes and goes."""

    process: asyncio.subprocess.Process | None = None
    n_parsed: int = 0
    idle: asyncio.TimerHandle | None = None


class ParserPool:
    """Parses documents in child processes; implements the `Parser` port.

    Children start when first needed and stop after `idle_s` without work, so that a quiet system
    holds no memory for them. Belongs to the event loop it is first used in.
    """

    def __init__(
        self,
        *,
        n_children: int = 1,
        timeout_s: float = 60.0,
        memory_bytes: int = 2 << 30,
        recycle_after: int = 200,
        idle_s: float = 30.0,
        limits: Limits = _LIMITS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if n_children < 1 or timeout_s <= 0 or recycle_after < 1:
            raise ValueError("a pool needs at least one child, some time and some documents")
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._recycle_after = recycle_after
        self._idle_s = idle_s
        self._limits = limits
        self._environment = dict(environment or {})
        self._name = _name()
        self._ending: set[asyncio.Task[None]] = set()
        self._slots = [_Slot() for _ in range(n_children)]
        self._free: asyncio.LifoQueue[_Slot] = asyncio.LifoQueue()
        for slot in self._slots:
            self._free.put_nowait(slot)

    @property
    def name(self) -> str:
        return self._name

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that run now."""
        processes = (slot.process for slot in self._slots)
        return tuple(p.pid for p in processes if p is not None and p.returncode is None)

    async def parse(self, raw: RawDocument) -> ParsedDocument:
        """Canonical text and elements, read in a child.

        Raises:
            ParseFailed, TooLarge: this document cannot be read, with the reason.
        """
        if len(raw.data) > self._limits.bytes_max:
            raise TooLarge(f"{len(raw.data)} bytes, over the limit of {self._limits.bytes_max}")
        slot = await self._free.get()
        try:
            answer = await self._answer(slot, raw)
        except BaseException:
            # Also when cancelled: a child in the middle of an answer is of no further use.
            await _stop(slot)
            raise
        finally:
            self._free.put_nowait(slot)
        return self._document(answer)

    async def aclose(self) -> None:
        """End all children."""
        for slot in self._slots:
            await _stop(slot)
        await asyncio.gather(*self._ending)

    async def _answer(self, slot: _Slot, raw: RawDocument) -> dict[str, Any]:
        if slot.idle is not None:
            slot.idle.cancel()
        process = await self._child(slot)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._exchange(process, raw)
        except TimeoutError as exc:
            raise ParseFailed(f"over the time limit of {self._timeout_s:g} s") from exc
        except _ChildDiedError as exc:
            raise ParseFailed(await _cause_of_death(process)) from exc
        slot.n_parsed += 1
        if answer.get("error") == "memory":
            # Its heap may be left in pieces.
            raise ParseFailed(f"over the memory limit of {self._memory_bytes >> 20} MiB")
        if slot.n_parsed >= self._recycle_after:
            await _stop(slot)
        else:
            self._stop_when_idle(slot)
        return answer

    async def _child(self, slot: _Slot) -> asyncio.subprocess.Process:
        if slot.process is not None and slot.process.returncode is None:
            return slot.process
        slot.n_parsed = 0
        slot.process = process = await self._start()
        try:
            async with asyncio.timeout(START_S):
                await _receive(process, 1_000)
        except (TimeoutError, _ChildDiedError) as exc:
            raise ParseFailed(f"parser did not start: {await _cause_of_death(process)}") from exc
        return process

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "rag.adapters.parsers.child",
            str(os.getpid()),
            str(self._memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            env=_clean_environment() | self._environment,
            start_new_session=True,
        )

    async def _exchange(
        self, process: asyncio.subprocess.Process, raw: RawDocument
    ) -> dict[str, Any]:
        header = {
            "uri": raw.uri or raw.key,
            "media_type": raw.media_type,
            "limits": asdict(self._limits),
        }
        encoded = json.dumps(header).encode("ascii")
        assert process.stdin is not None
        try:
            process.stdin.write(_LENGTH.pack(len(encoded)) + encoded + _LENGTH.pack(len(raw.data)))
            process.stdin.write(raw.data)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise _ChildDiedError from exc
        body = await _receive(process, self._limits.text_chars_max * ANSWER_BYTES_PER_CHAR)
        try:
            answer = (
                json.loads(body)
                if len(body) < OFFLOAD_BYTES
                else await asyncio.to_thread(json.loads, body)
            )
        except ValueError as exc:
            raise _ChildDiedError from exc
        if not isinstance(answer, dict):
            raise _ChildDiedError
        return answer

    def _document(self, answer: dict[str, Any]) -> ParsedDocument:
        if "error" in answer:
            raise _error(str(answer["error"]), str(answer["message"]))
        try:
            return ParsedDocument(
                text=str(answer["text"]),
                elements=tuple(_element(*fields) for fields in answer["elements"]),
                title=str(answer["title"]),
                parser=self._name,
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise ParseFailed(f"parser gave a malformed answer: {exc}") from exc

    def _stop_when_idle(self, slot: _Slot) -> None:
        def stop() -> None:
            # Taken out at once: a document that arrives meanwhile must not get this child.
            process, slot.process = slot.process, None
            if process is not None:
                task = asyncio.ensure_future(_end(process))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

        slot.idle = asyncio.get_running_loop().call_later(self._idle_s, stop)


def _name() -> str:
    return (
        f"unstructured {version('unstructured')} / pypdfium2 {version('pypdfium2')}"
        f" / sworn-canonical {CANONICAL_VERSION}"
    )


def _clean_environment() -> dict[str, str]:
    """What the child may know: nothing of ours, hence no secrets."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(rag.__file__).resolve().parent.parent),
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        # The child may write no file, not even this.
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "DO_NOT_TRACK": "true",
        "SCARF_NO_ANALYTICS": "true",
        # One thread each: their arenas would eat the memory limit.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }


async def _receive(process: asyncio.subprocess.Process, bytes_max: int) -> bytes:
    assert process.stdout is not None
    try:
        (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
        if length > bytes_max:
            raise _ChildDiedError
        return await process.stdout.readexactly(length)
    except asyncio.IncompleteReadError as exc:
        raise _ChildDiedError from exc


async def _cause_of_death(process: asyncio.subprocess.Process) -> str:
    if process.returncode is None and not await _ended(process):
        _kill(process)
    code = await process.wait()
    return f"parser crashed: signal {-code}" if code < 0 else f"parser ended with status {code}"


async def _ended(process: asyncio.subprocess.Process) -> bool:
    """Whether the process ends by itself shortly: its pipe closes a moment before it does."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2.0):
            await process.wait()
    return process.returncode is not None


def _kill(process: asyncio.subprocess.Process) -> None:
    # The child leads its own session, so its process group is all that it may have started.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _stop(slot: _Slot) -> None:
    process, slot.process = slot.process, None
    if slot.idle is not None:
        slot.idle.cancel()
        slot.idle = None
    if process is not None:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _kill(process)
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _error(code: str, message: str) -> DocumentError:
    return TooLarge(message) if code == TooLarge.code else ParseFailed(message)


def _element(kind: str, start: int, end: int, section: list[str], page: int | None) -> Element:
    return Element(kind=ElementKind(kind), span=Span(start, end), section=tuple(section), page=page)
