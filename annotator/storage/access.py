"""Who may do what with a project, as conditions of queries. What belongs to a project follows its rules."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, or_, select

from annotator.errors import Forbidden, NotFound
from annotator.storage.tables import memberships, projects
from annotator.types import Right, Role

_ROLES: dict[Right, tuple[Role, ...]] = {"annotate": ("annotator", "reviewer"), "review": ("reviewer",), "own": ()}
_NEEDED = {"review": "Only a reviewer or the owner of the project", "own": "Only the owner of the project"}
_OWNED = projects.alias("owned")


def allowed(project_id: ColumnElement[int], user: str, right: Right) -> ColumnElement[bool]:
    """The condition that the user has this right to the project of the column."""
    owned = project_id.in_(select(_OWNED.c.id).where(_OWNED.c.owner == user))
    shared = select(memberships.c.project_id).where(memberships.c.user_name == user)
    return or_(owned, project_id.in_(shared.where(memberships.c.role.in_(_ROLES[right])))) if _ROLES[right] else owned


def one(
    connection: Connection,
    query: Select[Any],
    project_id: ColumnElement[int],
    user: str | None,
    right: Right,
    what: str,
) -> tuple[Any, ...]:
    """The row of a query for one thing of a project, if the user has this right to it; None for everybody's.

    Raises `NotFound`, saying that there is no such `what`, if the user may not even see it, and `Forbidden` if so.
    """
    mine = query if user is None else query.where(allowed(project_id, user, right))
    row = connection.execute(mine).one_or_none()
    if row is not None:
        return tuple(row)
    if user is not None and right != "annotate":
        seen = connection.execute(query.where(allowed(project_id, user, "annotate"))).first()
        if seen is not None:
            raise Forbidden(f"{_NEEDED[right]} may do this.")
    raise NotFound(f"There is no such {what}.")
