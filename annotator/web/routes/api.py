"""The REST routes under /api. Each one checks that what it names belongs to the user, then calls a use case."""

from fastapi import APIRouter

from annotator.web.routes import annotations, automask, exchange, images, labels, projects, prompts, server, similar
from annotator.web.schemas.base import Error

router = APIRouter(prefix="/api", responses={code: {"model": Error} for code in (404, 409, 413, 422, 503)})
for routes in (server, projects, labels, images, prompts, annotations, automask, similar, exchange):
    router.include_router(routes.router)
