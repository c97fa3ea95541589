"""Replicas on Ray Serve, one for each GPU or several on CPUs. Needs the extra `scale`.

Ray's consistent hashing sends what is asked about an image to the replica that holds its embedding, from every process
that serves the page. Its router is experimental, so the extra pins Ray's version.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from typing import Any

from cachetools import TTLCache

from annotator import logs
from annotator.errors import Busy, InvalidSetting
from annotator.serving.metrics import REPLICA_RETRIES
from annotator.serving.replica import Replica, Request
from annotator.serving.watchdog import Watchdog
from annotator.settings import MIB, Settings

# Ray reads these when it is imported. By itself it sends statistics, and gives way to everything else on the machine.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")
try:
    import ray
    from ray import serve
    from ray.exceptions import RayActorError, RayError
    from ray.serve.config import RequestRouterConfig
    from ray.serve.exceptions import RayServeException
    from ray.serve.experimental.consistent_hash_router import ConsistentHashRouter
    from ray.serve.handle import DeploymentHandle, DeploymentResponse
    from ray.serve.schema import LoggingConfig
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "ray":
        raise
    raise InvalidSetting(
        'The backend ray needs Ray, which is not installed: pip install --no-build-isolation ".[scale]"'
    ) from None

log = logging.getLogger(__name__)

APPLICATION = "annotator"
_OBJECT_STORE_BYTES = 256 * MIB
"""Room for pixels on their way; what does not fit goes to the disk."""

_AT_ONCE = 1000
"""Questions that a replica works on. Its engine says how many may wait, and that there are too many."""

_QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)

_POINTS_ON_RING = 500
"""Of each replica. The more there are, the more equal are the shares of images: within 2 % or so."""

_ELSEWHERE = "#elsewhere"
"""At the end of a routing key: ask the next replica on the ring."""

_AVOIDED_SECONDS = 30.0
"""How long another replica is asked about an image after its own did not answer. Ray ends that one meanwhile."""

_HANGS_SECONDS = 60.0
"""When a replica that does not run at all is killed. Ray gives up one that does not answer after about 40 s."""

_NO_ANSWER = "The model's processes do not answer; try again in a moment."


def start_ray(cpus: int) -> None:
    """Join the Ray cluster of RAY_ADDRESS; else start one with `cpus` processors here, for this process alone."""
    if ray.is_initialized():
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level=logging.WARNING)
        return
    ray.init(
        num_cpus=cpus,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        logging_level=logging.WARNING,
        _node_ip_address="127.0.0.1",
    )


class NextOnRing(ConsistentHashRouter):  # type: ignore[misc]  # Ray may be missing when types are checked
    """Consistent hashing that can leave out the replica to which a key belongs."""

    def _lookup_ranked_replicas(self, routing_key: str) -> list[Any]:
        ranked: list[Any] = super()._lookup_ranked_replicas(routing_key.removesuffix(_ELSEWHERE))
        return ranked[1:] + ranked[:1] if routing_key.endswith(_ELSEWHERE) else ranked


class RayReplica(Replica):
    """A replica as Ray Serve runs it."""

    def __init__(self, settings: Settings) -> None:
        from annotator.serving.local import LocalSegmenter

        logs.configure(settings.log_format)
        super().__init__(serve.get_replica_context().replica_id.unique_id, LocalSegmenter(settings))
        self._watchdog = Watchdog(_HANGS_SECONDS)

    def __del__(self) -> None:
        """Ray Serve calls it when a replica is to end."""
        self.close()
        self._watchdog.close()


def resources_of(settings: Settings) -> tuple[int, dict[str, float]]:
    """How many processes hold a model, and what Ray reserves for each. Ray has to be there."""
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    replicas = settings.replicas or max(gpus, 1)
    if settings.device.startswith("cuda") or (gpus and settings.device == "auto"):
        return replicas, {"num_cpus": 1, "num_gpus": 1 / math.ceil(replicas / gpus) if gpus else 1}  # 0: one is to come
    return replicas, {"num_cpus": max(1, int(resources.get("CPU", 1)) // replicas)}


def settings_there(settings: Settings) -> Settings:
    """The settings of a process that holds a model."""
    device = "cuda" if settings.device.startswith("cuda") else settings.device  # Ray shows each process its own GPU
    # Several processes would compile the same model at the same time; `annotator compile` does it once.
    return settings.model_copy(update={"backend": "local", "compile": False, "device": device})


def application(settings: Settings, replica: type[Replica] | None = None) -> serve.Application:
    """What Ray Serve runs; another `replica` than ours takes the settings too. Ray has to be there."""
    replicas, resources = resources_of(settings)
    deployment = serve.deployment(
        replica or RayReplica,
        name="Replica",
        num_replicas=replicas,
        ray_actor_options=resources,
        max_ongoing_requests=_AT_ONCE,
        logging_config=_QUIET,
        health_check_period_s=2,
        health_check_timeout_s=5,
        request_router_config=RequestRouterConfig(
            request_router_class=NextOnRing,
            request_router_kwargs={"num_fallback_replicas": 1, "num_virtual_nodes": _POINTS_ON_RING},
        ),
    )
    return deployment.bind(settings_there(settings))


def from_environment(_: dict[str, str]) -> serve.Application:
    """The application for Ray Serve's own configuration files, with the settings of the environment."""
    return application(Settings.from_environment())


class RayReplicas:
    """Implements `Replicas`."""

    def __init__(self, settings: Settings, replica: type[Replica] | None = None) -> None:
        """Start Ray and the replicas, or find those that run. Waits until one of them can be asked."""
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        start_ray(max(os.cpu_count() or 1, settings.replicas))
        serve.start(proxy_location="Disabled", logging_config=_QUIET)
        if APPLICATION not in serve.status().applications:
            serve.run(application(settings, replica), name=APPLICATION, route_prefix=None)
        self._handle: DeploymentHandle = serve.get_app_handle(APPLICATION).options(method_name="answer")
        self._avoided: TTLCache[str, bool] = TTLCache(10_000, _AVOIDED_SECONDS)

    async def ask(self, request: Request, patience: float | None) -> Any:
        """The reply of the replica that answers for the key, or of the next one; see `Replicas.ask`."""
        key = request.key
        for _ in range(2):
            route = key + _ELSEWHERE if key in self._avoided else key
            response = self._handle.options(session_id=route).remote(request)
            try:
                return await asyncio.wait_for(_reply(response), patience)
            except RayActorError:
                REPLICA_RETRIES.labels("ended").inc()
                log.warning("A replica has ended; another one is asked.")
            except TimeoutError:
                REPLICA_RETRIES.labels("silent").inc()
                log.warning("A replica did not answer for %g s; another one is asked.", patience)
                self._avoided[key] = True
            except RayServeException as error:
                log.warning("No replica could be asked: %s", error)
                break
        raise Busy(_NO_ANSWER, retry_after=2)

    async def ask_all(self, request: Request, patience: float) -> list[Any]:
        """The reply of each replica, or Busy; see `Replicas.ask_all`."""

        async def reply_of(asked: Any) -> Any:
            try:
                return await asyncio.wait_for(asked.get_async(), patience)
            except (TimeoutError, RayError, RayServeException):
                return Busy("Not all of the model's processes answer; try again in a moment.", retry_after=2)

        try:
            # Ray's own `results_async` gives nothing at all if one replica is silent.
            sending = self._handle.broadcast("answer", request)._fetch_replica_results_async()
            replies = await asyncio.gather(*map(reply_of, await asyncio.wait_for(sending, patience)))
        except (TimeoutError, RayError, RayServeException):
            replies = []
        if not replies:
            raise Busy(_NO_ANSWER, retry_after=2)
        return replies

    def close(self) -> None:
        """Leave the cluster. One that this process has started ends with its replicas."""
        ray.shutdown()


async def _reply(response: DeploymentResponse) -> Any:
    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()
        raise
