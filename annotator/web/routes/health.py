"""Routes for those who run the server: is it alive, is it ready, and its metrics."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from annotator.errors import DatabaseUnavailable
from annotator.web.deps import Space
from annotator.web.schemas.health import Health, Readiness

router = APIRouter(include_in_schema=False)

_METHODS = ["GET", "HEAD"]  # a load balancer may want no body
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


@router.api_route("/healthz", methods=_METHODS)
async def healthz() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.api_route("/readyz", methods=_METHODS)
def readyz(space: Space, response: Response) -> Readiness:
    """Whether the database can be reached and a model is loaded; 503 if not."""
    info = space.segmenter.info()
    database = "ok"
    try:
        space.store.check()
    except DatabaseUnavailable as error:
        database = str(error)
    ready = database == "ok" and bool(info.name)
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, database=database, model=info.name or info.error or "The model is still loading.")


@router.get("/metrics")
async def metrics(request: Request, space: Space) -> Response:
    """Everything that is counted, in Prometheus' format, for the networks of `metrics_from`."""
    if not _is_operator(request, space):
        text = "The metrics are for the networks named in ANNOTATOR_METRICS_FROM, and not for requests through a proxy."
        raise HTTPException(403, text)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _is_operator(request: Request, space: Space) -> bool:
    """A proxy on this machine has a local address, though it speaks for anybody: what it adds to a request tells it."""
    if request.client is None or any(name in request.headers for name in _PROXY_HEADERS):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:  # not a network's address
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in space.settings.metrics_from)
