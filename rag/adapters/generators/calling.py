"""Calling a language model within an allowance: limits, retries, and a breaker.

What one question may cost is checked before every call, and what a call has cost is counted
whether it brought anything or not.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from rag.adapters.generators.llm_client import Reply
from rag.adapters.generators.llm_failures import Failure
from rag.adapters.generators.llm_options import LlmOptions
from rag.adapters.generators.prompting import Prompt
from rag.domain.budget import Allowance, Usage
from rag.domain.errors import ModelError, ModelOutputInvalid, ModelUnavailable

log: Final = structlog.get_logger()

# Bytes, so that scripts with few letters to a token are not taken for cheap ones.
BYTES_PER_TOKEN: Final = 3.5
# Less holds no claim with its quotation.
OUTPUT_TOKENS_MIN: Final = 64
_BACKOFF_MAX_S: Final = 20.0
# An asker in a hurry is no sign of a broken server.
_TIMEOUT_COUNTS_S: Final = 5.0
_JITTER: Final = random.SystemRandom()


class Client(Protocol):
    """A model that is asked once."""

    async def call(self, prompt: Prompt, tokens_max: int) -> Reply | Failure: ...


class Breaker:
    """Stops asking a provider that fails: after `failures` in a row it is open for `pause_s`.

    Then one call is let through; its success closes it, its failure opens it for another pause.
    """

    def __init__(
        self, *, failures: int, pause_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures_max = failures
        self._pause_s = pause_s
        self._clock = clock
        self._n_failed = 0
        self._open_until = -math.inf
        self._trying = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one call.

        Raises:
            ModelUnavailable: the breaker is open, or its one trial is still on its way.
        """
        is_open = self._n_failed >= self._failures_max
        if is_open and (self._trying or self._clock() < self._open_until):
            left_s = max(0.0, self._open_until - self._clock())
            raise ModelUnavailable(
                f"the model failed {self._n_failed} times in a row and is not asked now",
                remedy=f"it is tried again in {left_s:.0f} s",
            )
        self._trying = is_open
        try:
            yield
        finally:
            # A call that was cancelled has shown nothing: the next one tries.
            if is_open:
                self._trying = False

    def succeeded(self) -> None:
        self._n_failed = 0

    def failed(self) -> None:
        self._n_failed += 1
        if self._n_failed >= self._failures_max:
            self._open_until = self._clock() + self._pause_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A text that a model returned, and what all calls for it have cost."""

    text: str
    usage: Usage


class Caller:
    """Asks one model, again where that may help, and never beyond the allowance."""

    def __init__(self, client: Client, options: LlmOptions, breaker: Breaker) -> None:
        self._client = client
        self._options = options
        self._breaker = breaker

    async def call(self, prompt: Prompt, allowance: Allowance) -> Called:
        """The model's text.

        Raises:
            ModelUnavailable: no answer in time, after all retries, or the breaker is open.
            ModelOutputInvalid: refused, cut off, or not readable as a response.
            ModelError: the allowance does not suffice, or the server rejects the request.
        """
        started_s, usage, n_retried = time.monotonic(), Usage(), 0
        while True:
            left = allowance.less(usage, time.monotonic() - started_s)
            tokens_max = self._tokens_max(prompt, left)
            with self._breaker.attempt():
                outcome, spent = await self._attempt(prompt, tokens_max, left)
            usage += spent
            if isinstance(outcome, Reply):
                self._log("llm.called", usage, started_s)
                return Called(text=_sound(outcome, tokens_max), usage=usage)
            self._log("llm.failed", usage, started_s, cause=outcome.cause)
            left = allowance.less(usage, time.monotonic() - started_s)
            await asyncio.sleep(self._pause_s(outcome, n_retried, left))
            n_retried += 1

    async def _attempt(
        self, prompt: Prompt, tokens_max: int, left: Allowance
    ) -> tuple[Reply | Failure, Usage]:
        started_s = time.monotonic()
        limit_s = min(left.seconds, self._options.timeout_s)
        outcome: Reply | Failure
        try:
            async with asyncio.timeout(limit_s):
                outcome = await self._client.call(prompt, tokens_max)
        except TimeoutError:
            cause = f"the model did not answer within {limit_s:.1f} s"
            outcome = Failure(cause=cause, retryable=True, spent=True, late=True)
        if isinstance(outcome, Reply):
            self._breaker.succeeded()
        elif _tells_of_provider(outcome, time.monotonic() - started_s, self._options):
            self._breaker.failed()
        return outcome, self._usage(prompt, outcome)

    def _tokens_max(self, prompt: Prompt, left: Allowance) -> int:
        """How long the output may be, in tokens."""
        options = self._options
        if left.seconds <= 0:
            raise ModelUnavailable("no time is left for the model")
        tokens_in = tokens_of(prompt.system) + tokens_of(prompt.user)
        room = options.output_tokens_max
        floor = min(OUTPUT_TOKENS_MIN, room)
        if left.tokens is not None:
            room = min(room, left.tokens - tokens_in)
        if left.cost is not None:
            rest = left.cost - tokens_in * options.price_in / 1e6
            if rest < 0:
                room = -1
            elif options.price_out > 0:
                room = min(room, int(rest / options.price_out * 1e6))
        if room < floor:
            raise ModelError(
                f"the prompt of about {tokens_in} tokens leaves no room for an answer",
                remedy="raise the allowance, or lower context_chars_max",
            )
        return room

    def _usage(self, prompt: Prompt, outcome: Reply | Failure) -> Usage:
        """As the server counted, else by estimate; a refused request costs nothing."""
        estimated = tokens_of(prompt.system) + tokens_of(prompt.user)
        if isinstance(outcome, Failure):
            tokens_in, tokens_out = (estimated if outcome.spent else 0), 0
        else:
            tokens_in = estimated if outcome.tokens_in is None else outcome.tokens_in
            known = outcome.tokens_out
            tokens_out = tokens_of(outcome.text) if known is None else known
        cost = tokens_in * self._options.price_in + tokens_out * self._options.price_out
        return Usage(calls=1, tokens_in=tokens_in, tokens_out=tokens_out, cost=cost / 1e6)

    def _pause_s(self, failure: Failure, n_retried: int, left: Allowance) -> float:
        """How long to wait before the next try; raises where there is none.

        Full jitter (Brooker, "Exponential Backoff And Jitter", 2015), and never less than the
        server asks for.
        """
        if failure.garbled:
            raise ModelOutputInvalid(failure.cause, remedy=failure.remedy)
        if not failure.retryable:
            raise ModelError(failure.cause, remedy=failure.remedy)
        if n_retried >= self._options.retries:
            tried = f", {n_retried + 1} times" if n_retried else ""
            raise ModelUnavailable(f"{failure.cause}{tried}", remedy=failure.remedy)
        ceiling_s = min(_BACKOFF_MAX_S, self._options.backoff_s * 2**n_retried)
        pause_s = max(failure.retry_after_s or 0.0, _JITTER.uniform(0.0, ceiling_s))
        if pause_s >= left.seconds:
            raise ModelUnavailable(
                f"{failure.cause}; the next try is in {pause_s:.0f} s, after the time allowed",
                remedy=failure.remedy,
            )
        return pause_s

    def _log(self, event: str, usage: Usage, started_s: float, cause: str = "") -> None:
        elapsed_ms = round((time.monotonic() - started_s) * 1000)
        log.info(
            event,
            model=self._options.model,
            calls=usage.calls,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            elapsed_ms=elapsed_ms,
            **({"cause": cause} if cause else {}),
        )


def tokens_of(text: str) -> int:
    """About how many tokens `text` is; no tokenizer is at hand for every model."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def _sound(reply: Reply, tokens_max: int) -> str:
    if reply.refused:
        raise ModelOutputInvalid(
            "the model refused to answer", remedy="ask otherwise, or use another model"
        )
    if reply.truncated:
        raise ModelOutputInvalid(
            f"the model's output was cut off at {tokens_max} tokens",
            remedy="raise output_tokens_max or the allowance",
        )
    return reply.text


def _tells_of_provider(failure: Failure, waited_s: float, options: LlmOptions) -> bool:
    """Whether a failure says that the provider is broken, not that this one request was."""
    if not failure.retryable:
        return False
    return not failure.late or waited_s >= min(_TIMEOUT_COUNTS_S, options.timeout_s)
