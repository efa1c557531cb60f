"""A generator with a language model. Nothing it says leaves without a verdict."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

from rag.adapters.generators.calling import Breaker, Caller
from rag.adapters.generators.llm_client import LlmClient, load_client
from rag.adapters.generators.llm_options import LlmOptions
from rag.adapters.generators.llm_output import Written, draft_parts, read_output, replaced_parts
from rag.adapters.generators.prompting import Prompt, answer_prompt, revision_prompt
from rag.domain.budget import Allowance, Usage
from rag.domain.claim import NO_ANSWER, Draft, Evidence, Refused
from rag.domain.errors import ConfigError, ModelError, ModelOutputInvalid, ModelUnavailable
from rag.domain.ids import Digest

# Never the model's own words: nothing checks them.
_NONCE_BYTES: Final = 8
_ASKED_MAX: Final = 2


class LlmGenerator:
    """Implements the port `Reviser`.

    The model's client is imported and built by `start`, or else by the first question.
    """

    def __init__(self, options: LlmOptions, breaker: Breaker | None = None) -> None:
        self._options = options
        self._breaker = breaker or Breaker(
            failures=options.breaker_failures, pause_s=options.breaker_pause_s
        )
        self._client: LlmClient | None = None
        self._loading: asyncio.Task[LlmClient] | None = None
        self._digest = options.digest

    @property
    def name(self) -> str:
        return f"llm:{self._options.model}"

    @property
    def digest(self) -> Digest:
        """Of model, prompt and sampling; see `LlmOptions.digest`."""
        return self._digest

    async def start(self) -> None:
        """Load the client: seconds of importing, in a thread, and no network.

        Raises:
            ConfigError: the class cannot be loaded, or refuses its options.
        """
        if self._client is not None:
            return
        # One load for all who wait, and none of them ends it by giving up.
        loading = self._loading or asyncio.create_task(
            asyncio.to_thread(load_client, self._options)
        )
        self._loading = loading
        try:
            self._client = await asyncio.shield(loading)
        finally:
            if loading.done():
                self._loading = None

    async def aclose(self) -> None:
        """Close what connections there are."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        if not evidence:
            return Draft(parts=(), reason=NO_ANSWER)
        chars_max = self._options.context_chars_max

        def prompt(nonce: str, problem: str) -> Prompt:
            return answer_prompt(
                question, evidence, nonce=nonce, chars_max=chars_max, problem=problem
            )

        written, shown, usage = await self._ask(prompt, allowance)
        parts = draft_parts(written, evidence, shown)
        return Draft(parts=parts, reason="" if parts else NO_ANSWER, usage=usage)

    async def revise(
        self,
        question: str,
        evidence: Sequence[Evidence],
        refused: Sequence[Refused],
        allowance: Allowance,
    ) -> Draft:
        if not refused:
            return Draft(parts=())
        chars_max = self._options.context_chars_max

        def prompt(nonce: str, problem: str) -> Prompt:
            return revision_prompt(
                question, evidence, refused, nonce=nonce, chars_max=chars_max, problem=problem
            )

        written, shown, usage = await self._ask(prompt, allowance)
        return Draft(parts=replaced_parts(written, len(refused), evidence, shown), usage=usage)

    async def _ask(
        self, prompt: Callable[[str, str], Prompt], allowance: Allowance
    ) -> tuple[tuple[Written, ...], frozenset[int], Usage]:
        """Claims as written, what was shown for them, and the cost; unreadable output once more."""
        started_s, usage, problem = time.monotonic(), Usage(), ""
        caller = await self._caller(allowance)
        for _ in range(_ASKED_MAX):
            asked = prompt(secrets.token_hex(_NONCE_BYTES), problem)
            left = allowance.less(usage, time.monotonic() - started_s)
            try:
                called = await caller.call(asked, left)
            except ModelError as exc:
                exc.usage = usage + exc.usage
                raise
            usage += called.usage
            try:
                return read_output(called.text), asked.shown, usage
            except ModelOutputInvalid as exc:
                problem = exc.message
        raise ModelOutputInvalid(
            f"the model's output could not be read, {_ASKED_MAX} times: {problem}",
            remedy="use a model that writes JSON, or set response_format in options",
            usage=usage,
        )

    async def _caller(self, allowance: Allowance) -> Caller:
        try:
            async with asyncio.timeout(allowance.seconds):
                await self.start()
        except TimeoutError:
            raise ModelUnavailable("the model's client is still loading") from None
        except ConfigError as exc:
            raise ModelUnavailable(exc.message, remedy=exc.remedy) from exc
        if self._client is None:
            raise ModelUnavailable("the model's client was closed")
        return Caller(self._client, self._options, self._breaker)
