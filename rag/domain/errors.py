"""Everything that can go wrong, by who must act.

RagError
├─ ConfigError          operator     a bad or missing setting; stops at start
├─ SiloError            silo owner
│  ├─ SiloUnavailable                  the silo cannot be reached now (retry)
│  ├─ SiloDenied                       the silo refuses us this document
│  ├─ DocumentGone                     the document vanished between listing and fetching
│  └─ CursorExpired                    the cursor is too old: a full scan is needed
├─ DocumentError        quarantine   one document cannot be read; the belt goes on
│  ├─ ParseFailed
│  └─ TooLarge
├─ StoreError           operator
│  └─ StoreUnavailable                 a store cannot be reached now (retry)
├─ ModelError           operator
│  ├─ ModelUnavailable                 weights missing, damaged or not loaded
│  └─ ModelOutputInvalid
├─ RequestError         asker
│  ├─ QuestionTooLong
│  ├─ BadRequest
│  ├─ Unauthenticated
│  ├─ NotAllowed
│  ├─ NotFound                         also for what the asker may not see
│  └─ Overloaded                       too many questions at once (retry)
└─ IntegrityError       alarm        never retried
   ├─ DigestMismatch
   └─ ReceiptInvalid

That a claim is not supported is a verdict, not an error.
"""

from typing import ClassVar

from rag.domain.budget import Usage


class RagError(Exception):
    """The root: `code` is stable and public, `retryable` says whether trying again may help."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class ConfigError(RagError):
    code = "config"


class SiloError(RagError):
    code = "silo"


class SiloUnavailable(SiloError):
    code = "silo_unavailable"
    retryable = True


class SiloDenied(SiloError):
    code = "silo_denied"


class DocumentGone(SiloError):
    code = "document_gone"


class CursorExpired(SiloError):
    code = "cursor_expired"


class DocumentError(RagError):
    code = "document"


class ParseFailed(DocumentError):
    code = "parse_failed"


class TooLarge(DocumentError):
    code = "too_large"


class StoreError(RagError):
    code = "store"


class StoreUnavailable(StoreError):
    code = "store_unavailable"
    retryable = True


class ModelError(RagError):
    """`usage` is what was spent before it failed, as far as it is known."""

    code = "model"

    def __init__(self, message: str, *, remedy: str = "", usage: Usage | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.usage = usage or Usage()


class ModelUnavailable(ModelError):
    code = "model_unavailable"
    retryable = True


class ModelOutputInvalid(ModelError):
    code = "model_output_invalid"


class RequestError(RagError):
    code = "request"


class QuestionTooLong(RequestError):
    code = "question_too_long"


class BadRequest(RequestError):
    code = "bad_request"


class Unauthenticated(RequestError):
    code = "unauthenticated"


class NotAllowed(RequestError):
    code = "not_allowed"


class NotFound(RequestError):
    code = "not_found"


class Overloaded(RequestError):
    code = "overloaded"
    retryable = True


class IntegrityError(RagError):
    code = "integrity"


class DigestMismatch(IntegrityError):
    code = "digest_mismatch"


class ReceiptInvalid(IntegrityError):
    code = "receipt_invalid"
