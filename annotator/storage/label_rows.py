"""The labels of a project: unique names, distinct colours, one digit key each.

The functions run inside a transaction that has locked the project's row, see `lock_project`. The row of a deleted label
stays, hidden: undo may bring back annotations with that label, and so may a restored image. Its name stays taken, and
the label comes back when a label of that name is added.

A label merged into another one is hidden as well. The rows of its annotations, and of the journal, keep its id, and
`merged_ids` says which label they count as. So merging is one update, and splitting the label off again is exact.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, String, cast, func, insert, select, update

from annotator.errors import Conflict, InvalidRequest, NotFound
from annotator.storage import access
from annotator.storage.display_names import clean_name
from annotator.storage.tables import annotation_rows, images, labels, projects
from annotator.types import Label, Right
from annotator.words import counted

PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442"),
    *("#882255", "#44aa99", "#332288", "#999933", "#cc6677", "#117733", "#88ccee", "#aa4499", "#ddcc77"),
)
"""Colours told apart with any kind of colour vision: Okabe and Ito's set, then Paul Tol's 'muted' one."""

KEYS = "123456789"

COLUMNS = tuple(labels.c[field] for field in Label.__dataclass_fields__)


def lock_project(connection: Connection, project_id: int, shared: bool = False) -> None:
    """Lock the project's row until the transaction ends, so that nobody else changes its labels.

    Several transactions may have a shared lock at once. SQLite has no locks on rows: there, all writers take turns.
    Raises `NotFound` if there is no such project.
    """
    query = select(projects.c.id).where(projects.c.id == project_id, ~projects.c.deleted)
    if connection.execute(query.with_for_update(read=shared)).one_or_none() is None:
        raise NotFound("There is no such project.")


def all_of(connection: Connection, project_id: int) -> list[Label]:
    """The project's labels, oldest first."""
    query = select(*COLUMNS).where(labels.c.project_id == project_id, ~labels.c.deleted).order_by(labels.c.id)
    return [Label(*row) for row in connection.execute(query)]


def one(connection: Connection, label_id: int, user: str | None = None, right: Right = "own") -> Label:
    """The label. Raises as `access.one` does."""
    query = select(*COLUMNS).join_from(labels, projects).where(labels.c.id == label_id)
    query = query.where(~labels.c.deleted, ~projects.c.deleted)
    return Label(*access.one(connection, query, projects.c.id, user, right, "label"))


def add(
    connection: Connection,
    project_id: int,
    name: str,
    color: str | None = None,
    supercategory: str = "",
    key: str | None = None,
    category_id: int | None = None,
) -> Label:
    """A new label, or the deleted one of this name. Colour and key default to the next free ones."""
    others = all_of(connection, project_id)
    if color is None:
        taken = {other.color for other in others}
        color = next((each for each in PALETTE if each not in taken), PALETTE[len(others) % len(PALETTE)])
    if key is None:
        taken = {other.key for other in others if other.key}
        key = next((each for each in KEYS if each not in taken), None)
    label = _checked(Label(0, project_id, name, color, supercategory, key, category_id), others)
    _take_name(connection, label)
    values = _values(label) | {"deleted": False}
    known = (labels.c.project_id == project_id) & (labels.c.name == label.name)
    row = connection.execute(update(labels).where(known).values(values).returning(*COLUMNS)).one_or_none()
    if row is None:
        row = connection.execute(insert(labels).values(values).returning(*COLUMNS)).one()
    return Label(*row)


def change(connection: Connection, label: Label) -> Label:
    """Give the label of this id these fields."""
    others = [other for other in all_of(connection, label.project_id) if other.id != label.id]
    label = _checked(label, others)
    _take_name(connection, label)
    hidden = select(labels.c.id).where(labels.c.project_id == label.project_id, labels.c.name == label.name)
    if connection.scalars(hidden.where(labels.c.deleted)).first() is not None:
        raise Conflict(f"A deleted label was named {label.name}; add it again instead.")
    connection.execute(update(labels).where(labels.c.id == label.id).values(_values(label)))
    return label


def remove(connection: Connection, label: Label) -> None:
    """Hide the label and free its key. Raises `Conflict` if an annotation has it, unless its image is deleted."""
    count = usage(connection, label)
    if count:
        used = f"The label {label.name} is used by {counted(count, 'object')}."
        raise Conflict(f"{used} Delete them first, or give it the name of another label, which then takes them.")
    connection.execute(update(labels).where(labels.c.id == label.id).values(deleted=True, key=None))


def usage(connection: Connection, label: Label) -> int:
    """How many annotations have the label; those of deleted images do not count."""
    query = select(func.count()).select_from(annotation_rows.join(images)).where(~images.c.deleted)
    query = query.where(annotation_rows.c.label_id.in_(_counted_as(connection, label)))
    return connection.execute(query).scalar_one()


def merge(connection: Connection, label: Label, into: Label) -> None:
    """Hide the label and let its annotations count as those of `into`, a label of the same project."""
    _mark_changed(connection, label)
    values = {"deleted": True, "key": None, "merged_into": into.id}
    connection.execute(update(labels).where(labels.c.id == label.id).values(values))


def split_off(connection: Connection, label_id: int) -> Label:
    """Take `merge` back: the label has its annotations again, all but those relabelled since."""
    connection.execute(update(labels).where(labels.c.id == label_id).values(deleted=False, merged_into=None))
    label = one(connection, label_id)
    _mark_changed(connection, label)
    return label


def merged_ids(connection: Connection, project_id: int) -> dict[int, int]:
    """For the id of each merged label, the id of the label that its annotations count as."""
    query = select(labels.c.id, labels.c.merged_into).where(labels.c.project_id == project_id)
    following = {row.id: row.merged_into for row in connection.execute(query.where(labels.c.merged_into.is_not(None)))}
    return {label_id: _last(label_id, following) for label_id in following}


def revive(connection: Connection, ids: Collection[int], merged: Mapping[int, int]) -> bool:
    """Bring back those of the labels that are deleted; for a merged label, the one it was merged into. Whether any."""
    wanted = {merged.get(label_id, label_id) for label_id in ids}
    query = update(labels).where(labels.c.id.in_(wanted), labels.c.deleted).values(deleted=False)
    return connection.execute(query).rowcount > 0


def _last(label_id: int, following: Mapping[int, int]) -> int:
    while label_id in following:
        label_id = following[label_id]
    return label_id


def _counted_as(connection: Connection, label: Label) -> list[int]:
    """Ids of the label and of those merged into it."""
    merged = merged_ids(connection, label.project_id)
    return [label.id, *(label_id for label_id, last in merged.items() if last == label.id)]


def _mark_changed(connection: Connection, label: Label) -> None:
    """Advance the revision of every image with the label, so that whoever has it open notices."""
    query = select(annotation_rows.c.image_id).where(annotation_rows.c.label_id.in_(_counted_as(connection, label)))
    connection.execute(update(images).where(images.c.id.in_(query)).values(revision=images.c.revision + 1))


def _take_name(connection: Connection, label: Label) -> None:
    """Give a merged label of this name another one."""
    known = (labels.c.project_id == label.project_id) & (labels.c.name == label.name)
    other = labels.c.name + " (" + cast(labels.c.id, String) + ")"
    connection.execute(update(labels).where(known, labels.c.merged_into.is_not(None)).values(name=other))


def _checked(label: Label, others: list[Label]) -> Label:
    """The label, tidied. Raises `InvalidRequest` for a malformed field, `Conflict` for a name or key in use."""
    label = replace(label, name=clean_name(label.name, "label"), color=label.color.lower())
    if label.supercategory:
        label = replace(label, supercategory=clean_name(label.supercategory, "supercategory"))
    if not re.fullmatch("#[0-9a-f]{6}", label.color):
        raise InvalidRequest("The colour of a label looks like #0072b2.")
    if label.key is not None and (len(label.key) != 1 or label.key not in KEYS):
        raise InvalidRequest("The key of a label is a digit from 1 to 9.")
    for other in others:
        if other.name == label.name:
            raise Conflict(f"There is a label named {label.name} already.")
        if label.key is not None and other.key == label.key:
            raise Conflict(f"The key {label.key} belongs to the label {other.name}.")
    return label


def _values(label: Label) -> dict[str, Any]:
    values = asdict(label)
    del values["id"]
    return values
