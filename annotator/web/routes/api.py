"""The REST routes under /api/v1. Each one checks that what it names belongs to the user, then calls a use case."""

from http import HTTPStatus

from fastapi import APIRouter

from annotator.web.routes import annotations, automask, exchange, images, labels, projects, prompts, server
from annotator.web.schemas.base import Problem

_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_FAILURES = (403, 404, 409, 413, 422, 500, 503, 507)

router = APIRouter(
    prefix="/api/v1",
    responses={code: {"description": HTTPStatus(code).phrase, "content": _PROBLEM} for code in _FAILURES},
)
for routes in (server, projects, labels, images, prompts, annotations, automask, exchange):
    router.include_router(routes.router)
