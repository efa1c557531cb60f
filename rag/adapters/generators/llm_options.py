"""Which language model, where, and within what limits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from rag.adapters.generators.prompting import PROMPT_DIGEST
from rag.domain.errors import ConfigError
from rag.domain.ids import Digest, digest_text

# What a request carries is decided here; an option that replaced it would undo a limit.
_RESERVED: Final = frozenset(
    {"messages", "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"}
    | {"temperature", "tools", "tool_choice", "functions", "function_call", "timeout"}
    | {"extra_headers"}
)
_SECRET: Final = ("key", "token", "secret", "password", "credential", "header")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmOptions:
    """One language model and its limits.

    Without `class_path` it is a server that speaks OpenAI's protocol at `base_url`, and `options`
    are further fields of its requests (`top_p`, `seed`, `response_format`, `extra_body`). With it, it is that class of
    a LlamaIndex integration ("module:Class" or "module.Class"), and `options` are its keyword
    arguments. Prices are for a million tokens, in the currency of the allowance; 0 for a model
    that costs nothing. `timeout_s` is for one call, `proxy` the address of an HTTP proxy, and
    `ca_file` the certificates to trust instead of the usual ones.
    """

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    class_path: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    temperature: float = 0.0
    stream: bool = False
    output_tokens_max: int = 1_024
    context_chars_max: int = 24_000
    timeout_s: float = 60.0
    retries: int = 2
    backoff_s: float = 0.5
    price_in: float = 0.0
    price_out: float = 0.0
    breaker_failures: int = 5
    breaker_pause_s: float = 30.0
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("the generator has no model", remedy="name one")
        if self.class_path is None:
            self._check_server()

    def _check_server(self) -> None:
        # Without an address the client would take one from the environment, or OpenAI's own.
        address = urlsplit(self.base_url or "")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigError(
                "the generator has no server",
                remedy="set base_url to its address, such as http://127.0.0.1:8000/v1",
            )
        if address.username or address.password:
            raise ConfigError("base_url holds credentials", remedy="put the key into api_key")
        if reserved := sorted(_RESERVED & set(self.options)):
            raise ConfigError(f"options may not set {', '.join(reserved)}", remedy="remove them")

    @property
    def digest(self) -> Digest:
        """Of all that shapes the words: not of where the server is, of limits in time, or of keys."""
        shaping = {
            "model": self.model,
            "path": urlsplit(self.base_url or "").path.rstrip("/"),
            "class": self.class_path,
            "temperature": self.temperature,
            "output_tokens_max": self.output_tokens_max,
            "context_chars_max": self.context_chars_max,
            "options": {k: v for k, v in self.options.items() if not _is_secret(k)},
            "prompt": PROMPT_DIGEST,
        }
        return digest_text(json.dumps(shaping, sort_keys=True, default=_name_of))


def _is_secret(name: str) -> bool:
    return any(part in name.casefold() for part in _SECRET)


def _name_of(value: object) -> str:
    # An object's default text holds its address, which differs from one start to the next.
    return f"{type(value).__module__}.{type(value).__qualname__}"
