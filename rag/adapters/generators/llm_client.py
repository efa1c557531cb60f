"""A language model behind LlamaIndex: one call, what came back, and what went wrong.

LlamaIndex and its integrations are imported when a model is loaded, in seconds, never with this
module. The client itself tries once: retrying is the caller's, who knows what is left.
"""

import asyncio
import importlib
import logging
import ssl
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import httpx

from rag.adapters.generators.llm_failures import Failure, failure_of, get_field
from rag.adapters.generators.llm_options import LlmOptions
from rag.adapters.generators.prompting import Prompt
from rag.domain.errors import ConfigError

_CONNECT_S: Final = 10.0
# A server that goes on past its limit is cut off: tokens are hardly ever longer than this.
_CHARS_PER_TOKEN_MAX: Final = 32

# They log requests whole, with the text of documents, once somebody turns them up.
_TALKATIVE: Final = ("openai", "httpx", "httpcore", "anthropic", "llama_index")
_TRUNCATED: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_REFUSED: Final = frozenset(
    {"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "recitation"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model returned; tokens are None where it did not say."""

    text: str
    truncated: bool
    refused: bool
    tokens_in: int | None
    tokens_out: int | None


class LlmClient:
    """One model, loaded. Calls may run side by side."""

    def __init__(self, options: LlmOptions, llm: Any, http: httpx.AsyncClient | None) -> None:
        self._options = options
        self._llm = llm
        self._http = http
        self._hosted = options.class_path is None
        # Integrations without asynchronous code of their own would stop the whole event loop.
        self._blocks = not self._hosted and _is_custom(llm)

    async def call(self, prompt: Prompt, tokens_max: int) -> Reply | Failure:
        """Ask once. Time is the caller's to limit; cancelling drops the connection."""
        try:
            if self._options.stream and not self._blocks:
                return await self._streamed(prompt, tokens_max)
            return await self._whole(prompt, tokens_max)
        except Exception as exc:
            # The error itself goes no further: its text may quote the request.
            return failure_of(exc, self._options)

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def _whole(self, prompt: Prompt, tokens_max: int) -> Reply:
        llm, extra = self._limited(tokens_max)
        if self._blocks:
            response = await asyncio.to_thread(llm.chat, _messages(prompt), **extra)
        else:
            response = await llm.achat(_messages(prompt), **extra)
        return _reply(response.message.content or "", [response.raw], response)

    async def _streamed(self, prompt: Prompt, tokens_max: int) -> Reply | Failure:
        llm, extra = self._limited(tokens_max)
        if self._hosted:
            extra["stream_options"] = {"include_usage": True}
        text, raws, last = "", [], None
        async with aclosing(await llm.astream_chat(_messages(prompt), **extra)) as parts:
            async for last in parts:
                text += last.delta or ""
                raws.append(last.raw)
                if len(text) > tokens_max * _CHARS_PER_TOKEN_MAX:
                    return Failure(cause="the model did not stop at its limit", spent=True)
        return _reply(text, raws, last)

    def _limited(self, tokens_max: int) -> tuple[Any, dict[str, Any]]:
        """The model and the arguments that limit the length of one output."""
        if self._hosted:
            return self._llm, {"max_tokens": tokens_max}
        # Integrations agree on the name of the field, not on the argument of a call.
        if "max_tokens" in getattr(type(self._llm), "model_fields", {}):
            return self._llm.model_copy(update={"max_tokens": tokens_max}), {}
        return self._llm, {}


def load_client(options: LlmOptions) -> LlmClient:
    """Import the integration and build the client; takes seconds, and reaches no network.

    Raises:
        ConfigError: the class cannot be loaded, or refuses its options.
    """
    if options.class_path is not None:
        client = LlmClient(options, _of_class(options, options.class_path), None)
    else:
        client = _openai_like(options)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return client


def _openai_like(options: LlmOptions) -> LlmClient:
    like = _class("llama_index.llms.openai_like:OpenAILike")
    # Imported by the first call otherwise, which has no seconds to spare.
    importlib.import_module("openai.resources.chat.completions")
    http = _http(options)
    try:
        llm = like(
            model=options.model,
            api_base=options.base_url,
            # Never empty: the client would look for a key in the environment.
            api_key=options.api_key or "none",
            is_chat_model=True,
            temperature=options.temperature,
            max_retries=0,
            timeout=options.timeout_s,
            additional_kwargs=dict(options.options),
            async_http_client=http,
        )
    except Exception as exc:
        raise _refusal("the client for OpenAI-compatible servers", exc) from None
    return LlmClient(options, llm, http)


def _http(options: LlmOptions) -> httpx.AsyncClient:
    """A client that goes where the settings say: by no proxy of the environment, to no redirect."""

    async def trim(request: httpx.Request) -> None:
        # What is known of this machine, and what the environment holds, is nobody's business.
        for name in list(request.headers):
            if name.startswith(("x-stainless-", "openai-")):
                del request.headers[name]
        request.headers["user-agent"] = "sworn"
        if options.api_key is None:
            request.headers.pop("authorization", None)

    try:
        verify = (
            True if options.ca_file is None else ssl.create_default_context(cafile=options.ca_file)
        )
        return httpx.AsyncClient(
            timeout=httpx.Timeout(options.timeout_s, connect=_CONNECT_S),
            trust_env=False,
            follow_redirects=False,
            proxy=options.proxy,
            verify=verify,
            event_hooks={"request": [trim]},
        )
    except (OSError, ValueError) as exc:
        raise _refusal("the connection", exc, "check ca_file and proxy") from None


def _of_class(options: LlmOptions, class_path: str) -> Any:
    kind = _class(class_path)
    known = getattr(kind, "model_fields", {})
    usual = {
        "model": options.model,
        "api_key": options.api_key,
        "api_base": options.base_url,
        "base_url": options.base_url,
        "temperature": options.temperature,
        "max_tokens": options.output_tokens_max,
        "max_retries": 0,
        "timeout": options.timeout_s,
    }
    given = {k: v for k, v in usual.items() if k in known and v is not None}
    try:
        return kind(**{**given, **options.options})
    except Exception as exc:
        raise _refusal(f"the class {class_path}", exc) from None


def _class(path: str) -> Any:
    module, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise ConfigError(
            f"the class {path} cannot be loaded",
            remedy='install its package, and name it as "module:Class"',
        ) from None
    if not (hasattr(found, "achat") and hasattr(found, "metadata")):
        raise ConfigError(f"{path} is not a language model of LlamaIndex")
    return found


def _refusal(
    what: str, exc: Exception, remedy: str = "check the generator's options"
) -> ConfigError:
    # Only the kind of the error: its text may hold the key.
    return ConfigError(f"{what} cannot be made: {type(exc).__name__}", remedy=remedy)


def _is_custom(llm: Any) -> bool:
    from llama_index.core.llms.custom import CustomLLM

    return isinstance(llm, CustomLLM)


def _messages(prompt: Prompt) -> list[Any]:
    from llama_index.core.base.llms.types import ChatMessage, MessageRole

    return [
        ChatMessage(role=MessageRole.SYSTEM, content=prompt.system),
        ChatMessage(role=MessageRole.USER, content=prompt.user),
    ]


# --- reading a response -------------------------------------------------------------------------


def _reply(text: str, raws: list[Any], response: Any) -> Reply:
    """One reply from a raw response, or from the pieces of a streamed one."""
    ends = [end for raw in raws if (end := _end(raw))]
    counted = [_tokens(raw) for raw in raws]
    counted.append(_tokens({"usage": getattr(response, "additional_kwargs", None)}))
    return Reply(
        text=text,
        truncated=any(end in _TRUNCATED for end in ends),
        refused=any(end in _REFUSED for end in ends) or any(_refusal_text(raw) for raw in raws),
        tokens_in=next((i for i, _ in reversed(counted) if i is not None), None),
        tokens_out=next((o for _, o in reversed(counted) if o is not None), None),
    )


def _first_choice(raw: Any) -> Any:
    choices = get_field(raw, "choices", "candidates")
    return choices[0] if isinstance(choices, list) and choices else raw


def _end(raw: Any) -> str:
    """Why the model stopped, in lower case, whatever the integration calls it."""
    end = get_field(_first_choice(raw), "finish_reason", "stop_reason", "done_reason")
    return str(getattr(end, "name", end) or "").casefold()


def _refusal_text(raw: Any) -> Any:
    choice = _first_choice(raw)
    return get_field(get_field(choice, "message"), "refusal") or get_field(
        get_field(choice, "delta"), "refusal"
    )


def _tokens(raw: Any) -> tuple[int | None, int | None]:
    usage = get_field(raw, "usage", "usage_metadata")
    source = raw if usage is None else usage
    return (
        _count(
            get_field(
                source, "prompt_tokens", "input_tokens", "prompt_token_count", "prompt_eval_count"
            )
        ),
        _count(
            get_field(
                source, "completion_tokens", "output_tokens", "candidates_token_count", "eval_count"
            )
        ),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
