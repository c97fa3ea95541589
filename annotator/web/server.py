"""The ASGI application: REST routes, static modules, the page, and errors as one plain sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi_swagger
from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

from annotator import __version__
from annotator.serving.segmenter import Segmenter
from annotator.settings import STATIC_DIR, Settings
from annotator.storage.local_files import make_data_folder
from annotator.storage.store import Store
from annotator.web.allocator import give_memory_back
from annotator.web.authentication import Authentication, needs_login
from annotator.web.calls import Calls, OwnCalls
from annotator.web.errors import explain_errors
from annotator.web.guard import Guard, KnownHosts
from annotator.web.login import pages
from annotator.web.policy import PagePolicy
from annotator.web.prompt_limit import PromptLimit
from annotator.web.rates import RateLimits
from annotator.web.request_log import RequestLog
from annotator.web.routes import health
from annotator.web.routes.api import router
from annotator.web.sessions import Sessions
from annotator.web.streams import Streams
from annotator.workspace.workspace import Workspace


class FreshFiles(StaticFiles):
    """Static files that a browser asks about every time: after an upgrade it never mixes old and new modules."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, or 304 if its ETag is known."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_app(settings: Settings) -> FastAPI:
    """The application as configured: opens the data folder and the database, starts loading the model."""
    give_memory_back()
    make_data_folder(settings.data_dir)
    store = Store(settings.store_url)
    needs_login(settings, bool(store.users()))  # before the model loads
    return create_app(Workspace(settings, store, make_segmenter(settings)), settings)


def make_segmenter(settings: Settings) -> Segmenter:
    """The model of these settings. It loads in the background. Raises InvalidSetting if Ray is wanted and missing."""
    if settings.backend == "ray":
        from annotator.serving.ray_backend import RayReplicas
        from annotator.serving.remote import RemoteSegmenter

        return RemoteSegmenter(settings, RayReplicas(settings))
    from annotator.serving.local import LocalSegmenter

    return LocalSegmenter(settings)


def create_app(workspace: Workspace, settings: Settings, page: bool = True) -> FastAPI:
    """The application on `workspace`. `page=False` leaves Gradio out, for tests of the routes alone.

    Whether users log in is settled here. Raises InvalidSetting as `needs_login` does.
    """
    with_login = needs_login(settings, bool(workspace.store.users()))
    sessions = Sessions(workspace.store, settings.data_dir) if with_login else None
    app = create_routes(workspace)
    app.state.sessions = sessions
    calls = Calls()
    app.add_middleware(PagePolicy)
    app.add_middleware(OwnCalls, calls=calls)
    if with_login or settings.insecure_no_login:
        app.add_middleware(RateLimits)
    app.add_middleware(Authentication, accounts=workspace.accounts, sessions=sessions, settings=settings)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(KnownHosts, names=settings.allowed_hosts)
    app.add_middleware(RequestLog)
    if not page:
        return app
    import gradio as gr

    from annotator.web.page import MOUNT_OPTIONS, build_ui

    root = settings.public_url or None
    mounted: FastAPI = gr.mount_gradio_app(app, build_ui(workspace, calls), path="/", root_path=root, **MOUNT_OPTIONS)
    return mounted


def create_routes(workspace: Workspace) -> FastAPI:
    """The routes and static files, open: the caller has to say who the user is, by `Authentication` or another way."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.streams.close()
        workspace.exports.close()
        workspace.segmenter.close()

    app = FastAPI(
        title="Annotator",
        version=__version__,
        description="Click-to-segment annotation.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.workspace, app.state.sessions, app.state.streams = workspace, None, Streams(workspace)
    app.include_router(router)
    app.include_router(pages)
    app.include_router(health.router)
    app.mount("/page", FreshFiles(directory=STATIC_DIR), name="page")  # Gradio has /static and /assets of its own
    _add_docs(app)
    explain_errors(app)
    app.add_middleware(PromptLimit)
    return app


def _add_docs(app: FastAPI) -> None:
    """The description of the routes, with scripts that need no connection to a content network."""
    app.mount("/docs/assets", StaticFiles(directory=Path(fastapi_swagger.__file__).parent / "resources"), name="docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Annotator: routes",
            swagger_js_url="docs/assets/swagger-ui-bundle.js",
            swagger_css_url="docs/assets/swagger-ui.css",
            swagger_favicon_url="docs/assets/favicon-32x32.png",
        )
