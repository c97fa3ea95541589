"""The REST routes under /api. Each one checks that what it names belongs to the user, then calls the workspace."""

from __future__ import annotations

from fastapi import APIRouter

from annotator.web.routes import images, objects, projects
from annotator.web.schemas import projects as s

router = APIRouter(prefix="/api", responses={code: {"model": s.Error} for code in (404, 409, 413, 422, 503)})
for routes in (projects, images, objects):
    router.include_router(routes.router)
