"""The REST routes under /api. Each one checks that what it names belongs to the user, then calls the workspace."""

from __future__ import annotations

from fastapi import APIRouter

from annotator.web import image_routes, object_routes, project_routes
from annotator.web import schemas as s

router = APIRouter(prefix="/api", responses={code: {"model": s.Error} for code in (404, 409, 413, 422, 503)})
for routes in (project_routes, image_routes, object_routes):
    router.include_router(routes.router)
