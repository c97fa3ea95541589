"""The REST routes under /api/v1. Each one checks that what it names belongs to the user, then calls a use case."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.routing import BaseRoute, Match

from annotator.web import login
from annotator.web.routes import (
    annotations,
    automask,
    boxes,
    events,
    exchange,
    images,
    labels,
    members,
    projects,
    prompts,
    server,
    similar,
)
from annotator.web.schemas.base import Problem

_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_FAILURES = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 507)
_METHODS = ["GET", "HEAD", "QUERY", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]

router = APIRouter(
    prefix="/api/v1",
    responses={code: {"description": HTTPStatus(code).phrase, "content": _PROBLEM} for code in _FAILURES},
)
for routes in (
    server,
    projects,
    labels,
    images,
    prompts,
    annotations,
    automask,
    similar,
    exchange,
    boxes,
    members,
    events,
):
    router.include_router(routes.router)
router.include_router(login.router)


@router.api_route("/{path:path}", methods=_METHODS, include_in_schema=False)
async def unknown(request: Request) -> None:
    """What no route takes: 405 if it is the address of another method, else 404. The page's mount would answer 404."""
    *others, _ = router.routes
    allowed = [method for method in _METHODS if any(_takes(route, request, method) for route in others)]
    if allowed:
        raise HTTPException(405, "This address does not take this method.", {"Allow": ", ".join(allowed)})
    raise HTTPException(404, "There is nothing here.")


def _takes(route: BaseRoute, request: Request, method: str) -> bool:
    match, _ = route.matches({**request.scope, "method": method})
    return match is Match.FULL
