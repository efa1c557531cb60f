"""Errors as RFC 9457 problems. The only place that knows HTTP status codes for error codes."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.domain.errors import RagError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1

log: Final = structlog.get_logger()

# Every code of rag.domain.errors; a test demands that none is missing.
STATUS: Final[Mapping[str, int]] = {
    "internal": 500,
    "config": 500,
    "silo": 502,
    "silo_unavailable": 503,
    "silo_denied": 502,
    "document_gone": 404,
    "cursor_expired": 503,
    "document": 422,
    "parse_failed": 422,
    "too_large": 413,
    "store": 500,
    "store_unavailable": 503,
    "model": 500,
    "model_unavailable": 503,
    "model_output_invalid": 502,
    "request": 400,
    "question_too_long": 422,
    "bad_request": 422,
    "unauthenticated": 401,
    "not_allowed": 403,
    "not_found": 404,
    "overloaded": 503,
    "integrity": 500,
    "digest_mismatch": 500,
    "receipt_invalid": 422,
}

TITLES: Final[Mapping[int, str]] = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    422: "Cannot be processed",
    500: "Internal error",
    502: "A silo or model failed",
    503: "Try again later",
}


def problem_row(error: RagError) -> dict[str, Any]:
    """The body of a problem; 5xx that are not the asker's business say no more than that."""
    status = STATUS[error.code]
    hidden = status == 500
    return {
        "type": f"urn:sworn:problem:{error.code}",
        "title": TITLES[status],
        "status": status,
        "code": error.code,
        "detail": "something went wrong here; the log says what" if hidden else error.message,
        "remedy": "" if hidden else error.remedy,
    }


def install(app: FastAPI) -> None:
    """Answer every error with a problem."""
    app.add_exception_handler(RagError, _on_rag_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_middleware(BugsBecomeProblems)


async def _on_rag_error(request: Request, exc: Exception) -> JSONResponse:
    error = exc if isinstance(exc, RagError) else RagError(str(exc))
    if STATUS[error.code] >= 500:
        log.warning("request.failed", code=error.code, detail=str(error), path=request.url.path)
    return _response(problem_row(error), retryable=error.retryable)


async def _on_validation_error(request: Request, exc: Exception) -> JSONResponse:
    problems = exc.errors() if isinstance(exc, RequestValidationError) else []
    fields = [
        {"field": ".".join(str(p) for p in e["loc"][1:]), "detail": e["msg"]} for e in problems
    ]
    first = f"{fields[0]['field']}: {fields[0]['detail']}" if fields else "the body is not valid"
    body = {
        "type": "urn:sworn:problem:bad_request", "title": TITLES[422], "status": 422,
        "code": "bad_request", "detail": first, "remedy": "", "errors": fields,
    }  # fmt: skip
    return _response(body, retryable=False)


async def _on_http_error(request: Request, exc: Exception) -> JSONResponse:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    code = {404: "not_found", 413: "too_large", 405: "bad_request"}.get(status, "request")
    body = {
        "type": f"urn:sworn:problem:{code}", "title": TITLES.get(status, "Error"),
        "status": status, "code": code,
        "detail": str(exc.detail) if isinstance(exc, HTTPException) else "", "remedy": "",
    }  # fmt: skip
    return _response(body, retryable=False)


class BugsBecomeProblems:
    """Answers a bug with a problem. The server would log its message, which may quote a text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as exc:
            report_bug(exc, scope["path"])
            if not started:
                await _response(problem_row(RagError("")), retryable=False)(scope, receive, send)


def report_bug(exc: Exception, path: str) -> None:
    """Log what kind of error it was and where, never its message: that may quote a text."""
    frames = traceback.extract_tb(exc.__traceback__)
    at = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames[-8:]]
    log.error("request.bug", path=path, error=type(exc).__name__, at=at)


def _response(body: Mapping[str, Any], *, retryable: bool) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if retryable else {}
    if body["status"] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        dict(body), status_code=body["status"], media_type=MEDIA_TYPE, headers=headers
    )
