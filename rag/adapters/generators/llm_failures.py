"""What went wrong at a language model, told by status, type and cause, and in words of our own.

The text of a client's error is never passed on: servers quote keys and requests in theirs.
"""

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from rag.adapters.generators.llm_options import LlmOptions

_CODE: Final = re.compile(r"[a-z][a-z_]{2,40}")
_GARBLED: Final = (
    json.JSONDecodeError, UnicodeDecodeError, AttributeError, IndexError, KeyError, TypeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call came to nothing, in words that hold no text and no key.

    `retryable`: trying again may help. `spent`: the model may have worked, and be paid, for it.
    `garbled`: something came back that nobody can read. `late`: nothing came back in time.
    """

    cause: str
    remedy: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    spent: bool = False
    garbled: bool = False
    late: bool = False


def get_field(value: Any, *names: str) -> Any:
    """The first of `names` that `value` has, as a key or as an attribute."""
    for name in names:
        found = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        if found is not None:
            return found
    return None


def failure_of(exc: BaseException, options: LlmOptions) -> Failure:
    """What an error of any client means, by its status, its type and its causes."""
    status = _status(exc)
    if status is not None:
        return _by_status(status, exc, options)
    chain = list(_chain(exc))
    if any(isinstance(e, ssl.SSLCertVerificationError) for e in chain):
        return Failure(
            cause="the model server's certificate is not trusted",
            remedy="set ca_file to its issuer's",
        )
    names = {kind.__name__ for e in chain for kind in type(e).__mro__}
    if any("Timeout" in name for name in names):
        return Failure(
            cause="the model server did not answer in time", retryable=True, spent=True, late=True
        )
    if names & {"TransportError", "ConnectionError", "APIConnectionError"}:
        unreached = "ConnectError" in names or "ConnectionRefusedError" in names
        cause = "cannot be reached" if unreached else "dropped the connection"
        return Failure(
            cause=f"the model server {cause}",
            remedy="check base_url, and that it runs" if unreached else "",
            retryable=True,
            spent=not unreached,
        )
    if "APIError" in names:
        return Failure(cause="the model server broke off with an error", retryable=True, spent=True)
    if isinstance(exc, _GARBLED) or "ValidationError" in names:
        return Failure(
            cause="the model server's response is not what its protocol says",
            spent=True,
            garbled=True,
        )
    return Failure(cause=f"the model's client failed: {type(exc).__name__}", spent=True)


def _status(exc: BaseException) -> int | None:
    found = get_field(exc, "status_code", "status", "code") or get_field(
        get_field(exc, "response"), "status_code"
    )
    return found if isinstance(found, int) and 300 <= found < 600 else None


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if exc is None:
            return
        yield exc
        exc = exc.__cause__ or exc.__context__


def _by_status(status: int, exc: BaseException, options: LlmOptions) -> Failure:
    code = _error_code(exc, options)
    cause = f"the model server answered {status}{f' ({code})' if code else ''}"
    if status == 429:
        after = _retry_after_s(exc)
        return Failure(
            cause=cause,
            remedy="it has had too many requests, or its quota is used up",
            # Waiting does not fill an account.
            retryable=code != "insufficient_quota",
            retry_after_s=after,
        )
    if status in (408, 409) or status >= 500:
        return Failure(cause=cause, retryable=True, retry_after_s=_retry_after_s(exc))
    remedies = {
        400: "it does not take such a request: check model, options and context_chars_max",
        401: "check the API key",
        403: "the API key may not use this model",
        404: "check base_url and model",
        413: "lower context_chars_max",
        422: "it does not take such a request: check options",
    }
    moved = "redirects are not followed: set base_url to the final address"
    return Failure(cause=cause, remedy=moved if status < 400 else remedies.get(status, ""))


def _error_code(exc: BaseException, options: LlmOptions) -> str:
    """The server's short name for the error, if it is one: nothing longer is passed on."""
    body = get_field(exc, "body")
    code = get_field(get_field(body, "error") or body, "code", "type") or get_field(
        exc, "code", "type"
    )
    if not isinstance(code, str) or not _CODE.fullmatch(code) or code in (options.api_key or ""):
        return ""
    return code


def _retry_after_s(exc: BaseException) -> float | None:
    """What the server asks to wait: seconds, or an HTTP date (RFC 9110, section 10.2.3)."""
    headers = get_field(get_field(exc, "response"), "headers")
    value = headers.get("retry-after") if headers is not None else None
    if not isinstance(value, str):
        return None
    if re.fullmatch(r"\s*\d{1,9}(?:\.\d{1,9})?\s*", value):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
