"""The ASGI application: REST routes, static modules, the page, and errors as one plain sentence."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from annotator import __version__, errors
from annotator.serving.local import LocalSegmenter
from annotator.settings import MIB, STATIC_DIR, Settings
from annotator.storage.store import Store
from annotator.web.auth import is_foreign_origin, is_known_host
from annotator.web.routes.api import router
from annotator.workspace.workspace import Workspace

log = logging.getLogger(__name__)

STATUS_CODES: dict[type[errors.AnnotatorError], int] = {
    errors.InvalidImage: 422,
    errors.InvalidPrompt: 422,
    errors.InvalidMask: 422,
    errors.TooIntricate: 422,
    errors.InvalidRequest: 422,
    errors.NotJson: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Cancelled: 409,
    errors.Busy: 503,
    errors.ModelUnavailable: 503,
    errors.DatabaseUnavailable: 503,
    errors.FileUnavailable: 503,
    errors.StorageFull: 507,
    errors.CorruptData: 500,
}
_MAX_FILES_PER_UPLOAD = 16  # of the largest size allowed; any number of small ones


class FreshFiles(StaticFiles):
    """Static files that a browser asks about every time: after an upgrade it never mixes old and new modules."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, or 304 if its ETag is known."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_app(settings: Settings) -> FastAPI:
    """The application as configured: opens the data folder and the database, starts loading the model."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.FileUnavailable(
            f"The data folder {settings.data_dir} cannot be made ({error.strerror})."
        ) from None
    workspace = Workspace(settings, Store(settings.store_url), LocalSegmenter(settings))
    return create_app(workspace, settings)


def create_app(workspace: Workspace, settings: Settings, page: bool = True) -> FastAPI:
    """The application on `workspace`. `page=False` leaves Gradio out, for tests of the routes alone."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        workspace.segmenter.close()

    app = FastAPI(title="Annotator", version=__version__, description="Click-to-segment annotation.", lifespan=lifespan)
    app.state.workspace = workspace
    app.include_router(router)
    app.mount("/page", FreshFiles(directory=STATIC_DIR), name="page")  # Gradio has /static and /assets of its own
    _explain_errors(app)
    max_body = _MAX_FILES_PER_UPLOAD * settings.max_upload_bytes

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        if not is_known_host(request, settings.allowed_hosts):
            return _error(403, "This server does not answer to that name; see ANNOTATOR_ALLOWED_HOSTS.")
        if is_foreign_origin(request):
            return _error(403, "This request came from another site's page and was refused.")
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > max_body:
            return _error(413, f"One upload may take {max_body // MIB} MiB; send fewer files at a time.")
        return await call_next(request)

    if not page:
        return app
    import gradio as gr

    from annotator.web.page import MOUNT_OPTIONS, build_ui

    mounted: FastAPI = gr.mount_gradio_app(app, build_ui(), path="/", **MOUNT_OPTIONS)
    return mounted


def _error(status: int, text: str, field: str | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": text, "field": field}, status, headers)


def _explain_errors(app: FastAPI) -> None:
    @app.exception_handler(errors.AnnotatorError)
    async def expected(_: Request, error: errors.AnnotatorError) -> JSONResponse:
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, errors.Busy) else None
        return _error(STATUS_CODES.get(type(error), 400), str(error), getattr(error, "field", None), headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return _error(422, f"{where}: {first['msg']}.", where)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return _error(error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        return _error(500, "Something went wrong on the server; nothing was changed. Its log has the details.")
