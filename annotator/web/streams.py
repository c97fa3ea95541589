"""Tells open pages what others change. One loop for a process asks the database once a second, whoever listens.

It asks for the versions of all projects that have listeners, and for who is where: two queries, on primary keys. Only
when a version has moved are the changed images read. Asking works with any number of processes, on SQLite too, and
nothing is lost while a listener is away: a version says where to go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from annotator.errors import AnnotatorError, Busy, DatabaseUnavailable
from annotator.types import LOCAL_USER, Place, ProjectVersion
from annotator.web.deps import image_reply
from annotator.web.schemas.events import ImageEvent, ProjectEvent, RemovedImage
from annotator.web.schemas.events import Place as ShownPlace
from annotator.workspace.workspace import Workspace

log = logging.getLogger(__name__)

R = TypeVar("R")

MOST = 1000
"""Streams of a process. Each is a connection and a few kilobytes."""

MOST_OF_ONE_USER = 32

_ASK_SECONDS = 1.0
_CHECK_SECONDS = 5.0
"""How often listeners are looked at: whether they may still listen, and that their images are still taken."""

_BEAT_SECONDS = 15.0
"""Something is sent so often, so that proxies keep the connection and a dead one is noticed."""

_MOST_WAITING = 16
"""Events for a client that reads slowly. Then its stream ends; it may come back and go on where it was."""

_MOST_IMAGES = 200
"""Changed images that an event tells one by one."""


@dataclass(eq=False, slots=True)
class Listener:
    """Somebody who listens to a project. `may_listen` raises when that is over; `client` is a tab that has a place."""

    project_id: int
    user: str
    may_listen: Callable[[], object]
    client: str | None = None
    version: ProjectVersion | None = None
    """What the listener has been told, None for one that begins now."""
    places: list[Place] | None = None
    events: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(_MOST_WAITING))
    """Events to send. None, or a full queue, is the end."""


class Streams:
    """The streams of a process. Its methods run on the event loop."""

    def __init__(self, workspace: Workspace) -> None:
        self._space, self._store = workspace, workspace.store
        self._listeners: set[Listener] = set()
        self._moved: set[tuple[str, str]] = set()
        """Tabs, each a user and a client, whose streams began or ended."""
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._thread = CapacityLimiter(1)
        self._is_closed = False

    def add(self, listener: Listener) -> AsyncIterator[str]:
        """The stream's text, for a listener who counts until `remove`. Raises Busy if there are too many streams."""
        own = sum(each.user == listener.user for each in self._listeners)
        if len(self._listeners) >= MOST or (own >= MOST_OF_ONE_USER and listener.user != LOCAL_USER):
            raise Busy("Too many pages listen for changes; this one looks for them now and then.", retry_after=30)
        if self._is_closed:
            _end(listener)
            return self._stream(listener)
        self._listeners.add(listener)
        self._note_move(listener)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run())
        return self._stream(listener)

    def remove(self, listener: Listener) -> None:
        """The stream has ended, or never began."""
        if listener in self._listeners:
            self._listeners.remove(listener)
            self._note_move(listener)

    def close(self) -> None:
        """End all streams: the server stops. Later ones end at once."""
        self._is_closed = True
        for listener in self._listeners:
            _end(listener)
        self._wake.set()

    def _note_move(self, listener: Listener) -> None:
        if listener.client is not None:
            self._moved.add((listener.user, listener.client))
        self._wake.set()

    async def _stream(self, listener: Listener) -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        while not listener.events.full():
            try:
                event = await asyncio.wait_for(listener.events.get(), _BEAT_SECONDS)
            except TimeoutError:
                event = ":\n\n"
            if event is None:
                return
            yield event

    async def _run(self) -> None:
        """The loop, as long as there are listeners."""
        now = asyncio.get_running_loop().time
        checked = 0.0
        while self._listeners or self._moved:
            self._wake.clear()
            try:
                await self._move_places()
                if now() - checked >= _CHECK_SECONDS:
                    checked = now()
                    await self._check(self._listeners)
                    await self._in_thread(self._store.renew_places, self._tabs())
                await self._tell()
            except DatabaseUnavailable:
                pass  # every other request says so; listeners wait
            except Exception:
                log.exception("Changes could not be told.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _ASK_SECONDS)

    def _tabs(self) -> set[tuple[str, str]]:
        """The tabs that listen: each a user and a client."""
        reading = [each for each in self._listeners if not each.events.full()]
        return {(each.user, each.client) for each in reading if each.client is not None}

    async def _move_places(self) -> None:
        """A tab keeps its place while one of its streams is open: the end of an old connection may be noticed late."""
        moved, self._moved = self._moved, set()
        present = self._tabs()
        await self._in_thread(self._store.renew_places, moved & present)
        for user, client in moved - present:
            await self._in_thread(self._store.leave_place, user, client)

    async def _check(self, listeners: Collection[Listener]) -> None:
        for listener in list(listeners):
            try:
                await self._in_thread(listener.may_listen)
            except DatabaseUnavailable:
                raise
            except AnnotatorError:
                _end(listener)
            except Exception:
                log.exception("Whether somebody may listen is unknown: the stream ends.")
                _end(listener)

    async def _tell(self) -> None:
        by_project: dict[int, list[Listener]] = {}
        for listener in self._listeners:
            by_project.setdefault(listener.project_id, []).append(listener)
        versions = await self._in_thread(self._store.versions, list(by_project))
        places = await self._in_thread(self._store.places, list(by_project))
        for project_id, listeners in by_project.items():
            await self._tell_project(project_id, listeners, versions[project_id], places[project_id])

    async def _tell_project(
        self, project_id: int, listeners: list[Listener], version: ProjectVersion, places: list[Place]
    ) -> None:
        told: dict[ProjectVersion | None, ProjectEvent | None] = {}
        for listener in listeners:
            if listener.version == version and listener.places == places:
                continue
            since = listener.version
            if since not in told:
                told[since] = await self._event(project_id, since, version)
            event = told[since]
            if event is None:
                listener.version, listener.places = version, places  # it is not tried again
                _end(listener)
                continue
            if event.project:
                await self._check([listener])  # a member may have been sent away
            if listener.places != places:
                event = event.model_copy(update={"places": [ShownPlace.model_validate(each) for each in places]})
            listener.version, listener.places = version, places
            with suppress(asyncio.QueueFull):
                listener.events.put_nowait(f"id: {version.version}\ndata: {event.model_dump_json()}\n\n")

    async def _event(self, project_id: int, since: ProjectVersion | None, now: ProjectVersion) -> ProjectEvent | None:
        """What changed from one version to the other. None if it cannot be told: others hear of theirs all the same."""
        try:
            return await self._in_thread(self._changes, project_id, since, now)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("Changes of project %s could not be told: streams of it end.", project_id)
            return None

    def _changes(self, project_id: int, since: ProjectVersion | None, now: ProjectVersion) -> ProjectEvent:
        event = ProjectEvent(version=now.version)
        if since is None or since == now:
            return event
        event.labels, event.project = now.labels > since.labels, now.project > since.project
        if since.version > now.version:  # the database is an older one: from its version on
            event.reload = True
            return event
        changed = self._store.images_changed_since(project_id, since.version, _MOST_IMAGES + 1)
        if len(changed) > _MOST_IMAGES:
            event.reload = True
            return event
        event.removed = [RemovedImage(id=each.image.id, by=each.by) for each in changed if each.removed]
        present = [each for each in changed if not each.removed]
        counts = self._store.annotation_counts([each.image.id for each in present])
        event.images = [
            ImageEvent(
                image=image_reply(self._space, each.image, counts[each.image.id]), revision=each.revision, by=each.by
            )
            for each in present
        ]
        return event

    async def _in_thread(self, call: Callable[..., R], *arguments: object) -> R:
        """Only one thread: a slow database holds none that clicks need."""
        return await run_sync(call, *arguments, limiter=self._thread)


def _end(listener: Listener) -> None:
    """A full queue ends the stream as well."""
    with suppress(asyncio.QueueFull):
        listener.events.put_nowait(None)
