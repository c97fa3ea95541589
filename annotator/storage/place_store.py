"""Who has which image open. A place that is not renewed is free after `FREE_SECONDS`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    bindparam,
    cast,
    delete,
    func,
    literal,
    select,
    update,
)

from annotator.storage import image_rows, label_rows
from annotator.storage.database import Database, upsert
from annotator.storage.tables import images, places
from annotator.types import FINISHED, LOCAL_USER, ImageRecord, Place

FREE_SECONDS = 15
"""After so many seconds without a sign of it, a tab counts as closed."""

LEFT_SECONDS = 4
"""A tab whose connection ended may come back within so many seconds: a reload, or a network that changes."""

MOST_TABS = 32
"""Of one user in a project. With one more, the tab that was seen longest ago has no place any more."""

_FORGOTTEN_SECONDS = 24 * 3600
_QUEUE_LOCK = 0x5A4D4
"""Any number: those who ask for the next free image take turns by it in PostgreSQL."""


class PlaceStore(Database):
    """The part of the store that knows who is where. The database's clock counts: those of servers may differ."""

    def take(self, image_id: str, user: str, client: str) -> None:
        """A tab of this user has this image open, and no other one. At most `MOST_TABS` of a user have one."""
        with self._writing() as connection:
            _take(connection, image_rows.one(connection, image_id), user, client)

    def take_next(self, project_id: int, user: str, client: str, after: str | None = None) -> ImageRecord | None:
        """Take the next image after this one, and after the last the first, that is not finished and that is free.

        Free is what no other tab has open. Two who ask at once get different images. None if there is no such image.
        """
        with self._writing() as connection:
            label_rows.lock_project(connection, project_id, shared=True)
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_QUEUE_LOCK, project_id)))
            current = select(images.c.ordinal).where(images.c.id == after).scalar_subquery()
            theirs = (places.c.user_name != user) | (places.c.client != client)
            taken = select(places.c.image_id).where(theirs, places.c.seen_at > _now(connection) - FREE_SECONDS)
            which = (images.c.project_id == project_id) & image_rows.PRESENT & images.c.status.not_in(FINISHED)
            query = select(*image_rows.COLUMNS).where(which, images.c.id.not_in(taken))
            if after is not None:
                query = query.where(images.c.id != after).order_by(images.c.ordinal < current)
            row = connection.execute(query.order_by(images.c.ordinal).limit(1)).one_or_none()
            if row is None:
                return None
            image = ImageRecord(*row)
            _take(connection, image, user, client)
            return image

    def renew_places(self, tabs: Iterable[tuple[str, str]]) -> None:
        """These tabs, each named by its user and its client, are still open."""
        self._see(tabs, 0)

    def leave_place(self, user: str, client: str) -> None:
        """The connection to this tab has ended."""
        self._see([(user, client)], FREE_SECONDS - LEFT_SECONDS)

    def leave_others(self, project_id: int, user: str, client: str) -> None:
        """This tab is in the project now, so it has no image of another one open."""
        here = select(images.c.id).where(images.c.project_id == project_id)
        whose = (places.c.user_name == user) & (places.c.client == client)
        with self._writing() as connection:
            connection.execute(delete(places).where(whose, places.c.image_id.not_in(here)))

    def places(self, project_ids: Collection[int]) -> dict[int, list[Place]]:
        """Who has which image of these projects open."""
        query = select(images.c.project_id, places.c.image_id, places.c.user_name, places.c.client)
        query = query.join_from(places, images).where(images.c.project_id.in_(project_ids))
        found: dict[int, list[Place]] = {each: [] for each in project_ids}
        with self._reading() as connection:
            alive = places.c.seen_at > _now(connection) - FREE_SECONDS
            for project_id, *place in connection.execute(query.where(alive).order_by(places.c.user_name)):
                found[project_id].append(Place(*place))
        return found

    def _see(self, tabs: Iterable[tuple[str, str]], ago: int) -> None:
        known = [{"user": user, "tab": client} for user, client in tabs]
        if not known:
            return
        query = update(places).where(places.c.user_name == bindparam("user"), places.c.client == bindparam("tab"))
        with self._writing() as connection:
            connection.execute(query.values(seen_at=_now(connection) - ago), known)


def _take(connection: Connection, image: ImageRecord, user: str, client: str) -> None:
    values = {"image_id": image.id, "seen_at": _now(connection)}
    connection.execute(upsert(connection, places, {"user_name": user, "client": client, **values}, values))
    connection.execute(delete(places).where(places.c.seen_at < _now(connection) - _FORGOTTEN_SECONDS))
    if user == LOCAL_USER:  # everybody, where there is no login
        return
    own = (places.c.user_name == user) & (images.c.project_id == image.project_id)
    query = select(places.c.client).join_from(places, images).where(own).with_for_update(of=places, skip_locked=True)
    newest_first = (places.c.client == client).desc(), places.c.seen_at.desc()
    surplus = connection.scalars(query.order_by(*newest_first).offset(MOST_TABS)).all()
    if surplus:
        connection.execute(delete(places).where(places.c.user_name == user, places.c.client.in_(surplus)))


def _now(connection: Connection) -> ColumnElement[Any]:
    """The seconds on the database's clock, not those at which the transaction began."""
    if connection.dialect.name == "postgresql":
        return cast(func.floor(func.extract("epoch", func.clock_timestamp())), BigInteger)
    return cast(func.strftime(literal("%s"), literal("now")), Integer)
