"""Errors as HTTP answers."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from annotator import errors
from annotator.web.guard import error_response
from annotator.web.metrics import REJECTIONS

STATUS_CODES: dict[type[errors.AnnotatorError], int] = {
    errors.InvalidImage: 422,
    errors.InvalidPrompt: 422,
    errors.InvalidMask: 422,
    errors.TooIntricate: 422,
    errors.InvalidRequest: 422,
    errors.NotJson: 422,
    errors.NotFound: 404,
    errors.NotLoggedIn: 401,
    errors.Forbidden: 403,
    errors.TooManyLogins: 429,
    errors.Conflict: 409,
    errors.Cancelled: 409,
    errors.Busy: 503,
    errors.ModelUnavailable: 503,
    errors.DatabaseUnavailable: 503,
    errors.FileUnavailable: 503,
    errors.ImageStoreUnavailable: 503,
    errors.StorageFull: 507,
    errors.QuotaExceeded: 507,
    errors.CorruptData: 500,
}
_TEMPORARY = (errors.Busy, errors.DatabaseUnavailable, errors.ImageStoreUnavailable, errors.TooManyLogins)
_RETRY_SECONDS = 2


def problem(error: errors.AnnotatorError) -> JSONResponse:
    """The answer to a request that failed so."""
    headers = {}
    if isinstance(error, _TEMPORARY):
        headers["Retry-After"] = str(getattr(error, "retry_after", _RETRY_SECONDS))
    if isinstance(error, errors.NotLoggedIn):
        headers["WWW-Authenticate"] = "Bearer"
    return error_response(STATUS_CODES.get(type(error), 400), str(error), getattr(error, "field", None), headers)


_CLEARER = {"There was an error parsing the body": "The body cannot be read: it should be JSON, or a form with files."}
"""What to say instead of sentences of FastAPI that are vague."""


def explain_errors(app: FastAPI) -> None:
    """Answer every expected failure with its one sentence. Unexpected ones are the guard's."""

    @app.exception_handler(errors.AnnotatorError)
    async def expected(_: Request, error: errors.AnnotatorError) -> JSONResponse:
        if isinstance(error, errors.Busy):
            REJECTIONS.labels("queue").inc()
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return error_response(422, f"{where}: {first['msg']}.", where)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        text = _CLEARER.get(str(error.detail), str(error.detail))
        return error_response(error.status_code, text, headers=dict(error.headers or {}))
