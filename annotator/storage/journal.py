"""The journal of an image: every change of its annotations as an event that can be undone and redone.

The functions run inside a transaction that has locked the image's row, so they see and leave one consistent state.
An `AnnotationRow` is an annotation as the database holds it, without its image id. Events keep such rows, so undo
restores an annotation exactly. `merged` is what `label_rows.merged_ids` says of the image's project.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from annotator.errors import Conflict, InvalidMask, NotFound
from annotator.masks import rle
from annotator.storage import image_rows, label_rows, project_versions
from annotator.storage.tables import annotation_rows, events, images
from annotator.types import Annotation, Change, History

AnnotationRow = dict[str, Any]
Step = tuple[AnnotationRow | None, AnnotationRow | None]
"""What one annotation was and becomes."""

COLUMNS = tuple(column for column in annotation_rows.c if column.name != "image_id")

_BATCH = 500
"""Ids per query, far below any database's limit on parameters."""


def to_row(annotation: Annotation, position: int) -> AnnotationRow:
    """The annotation as the database holds it."""
    x, y, w, h = annotation.bbox
    return {
        "id": annotation.id,
        "position": position,
        "label_id": annotation.label_id,
        "counts": rle.to_coco_string(annotation.mask),
        "area": annotation.area,
        "x": x,
        "y": y,
        "w": w,
        "h": h,
        "score": None if annotation.score is None else float(annotation.score),
        "source": annotation.source,
        "prompts": json.dumps(annotation.prompts, sort_keys=True),
        "crowd": annotation.crowd,
    }


def to_annotation(
    row: Mapping[Any, Any], image_id: str, height: int, width: int, merged: Mapping[int, int]
) -> Annotation:
    """The annotation of a row of an image of this size."""
    return Annotation(
        id=row["id"],
        image_id=image_id,
        label_id=merged.get(row["label_id"], row["label_id"]),
        mask=rle.from_coco_string(row["counts"], height, width),
        area=row["area"],
        bbox=(row["x"], row["y"], row["w"], row["h"]),
        score=row["score"],
        source=row["source"],
        prompts=json.loads(row["prompts"]),
        crowd=row["crowd"],
    )


def read_history(connection: Connection, image_id: str) -> History:
    """The image's revision, and what undo and redo would do. Raises `NotFound` if there is no such image."""
    told = [
        _next_event(image_id, undo).with_only_columns(column).scalar_subquery()
        for column in (events.c.kind, events.c.author)
        for undo in (True, False)
    ]
    query = select(images.c.revision, *told)
    found = connection.execute(query.where(images.c.id == image_id, image_rows.PRESENT)).one_or_none()
    if found is None:
        raise NotFound("There is no such image.")
    return History(*found)


def record(
    connection: Connection,
    image: Row[Any],
    kind: str,
    changes: Sequence[Change],
    request_id: str | None,
    merged: Mapping[int, int],
    author: str | None = None,
) -> None:
    """Apply the changes as one event of this author, which undo will name `kind`.

    What was undone before can no longer be redone. A new image, and one that was approved, is in progress afterwards.
    Raises `Conflict` if an annotation is not what its change says it was, `InvalidMask` if a new mask does not fit the
    image or its own area and box, `TooIntricate` if it has too many runs, `NotFound` if a label is not one of the
    project.
    """
    for change in changes:
        _check(change, image)
    wanted = {change.after.label_id for change in changes if change.after}
    known = {label.id for label in label_rows.all_of(connection, image.project_id)}
    if not known.issuperset(merged.get(each, each) for each in wanted):
        raise NotFound("There is no such label in this project.")
    ids = [each.id for change in changes if (each := change.before or change.after)]
    present = _present(connection, image.id, ids)
    added = [each for each in dict.fromkeys(ids) if each not in present]
    places = {each: row["position"] for each, row in present.items()}
    places |= {each: image.next_position + number for number, each in enumerate(added)}

    def placed(side: Annotation | None) -> AnnotationRow | None:
        """The side as a row. It keeps the id of a merged label that the annotation has, so that a split is exact."""
        if side is None:
            return None
        label_id = merged.get(side.label_id, side.label_id)
        there = present.get(side.id)
        if there and merged.get(there["label_id"], there["label_id"]) == label_id:
            label_id = there["label_id"]
        return to_row(side, places[side.id]) | {"label_id": label_id}

    steps = [(placed(change.before), placed(change.after)) for change in changes]
    _apply(connection, image.id, present, steps)
    _set_state(connection, (events.c.image_id == image.id) & (events.c.state == "undone"), "dead")
    connection.execute(
        insert(events).values(
            image_id=image.id,
            kind=kind,
            request_id=request_id,
            state="done",
            changes=json.dumps(steps),
            author=author,
            added=sum(before is None for before, _ in steps),
        )
    )
    _advance(connection, image, author, next_position=image.next_position + len(added))


def step(
    connection: Connection, image: Row[Any], undo: bool, merged: Mapping[int, int], author: str | None = None
) -> None:
    """Undo the last event that is done, or redo the first that is undone. Raises `Conflict` if there is none.

    A label that was deleted since comes back if a returning annotation has it.
    """
    event = connection.execute(_next_event(image.id, undo)).one_or_none()
    if event is None:
        raise Conflict(f"There is nothing to {'undo' if undo else 'redo'} on this image.")
    steps: list[Step] = [(_complete(before), _complete(after)) for before, after in json.loads(event.changes)]
    if undo:
        steps = [(after, before) for before, after in reversed(steps)]
    revived = label_rows.revive(connection, {after["label_id"] for _, after in steps if after}, merged)
    ids = [each["id"] for before, after in steps if (each := before or after)]
    _apply(connection, image.id, _present(connection, image.id, ids), steps)
    _set_state(connection, events.c.id == event.id, "undone" if undo else "done")
    if revived:
        project_versions.advance(connection, image.project_id, labels=True)
    _advance(connection, image, author)


def has_request(connection: Connection, image_id: str, request_id: str | None) -> bool:
    """Whether the image's journal has an event of this request."""
    which = (events.c.image_id == image_id) & (events.c.request_id == request_id)
    return request_id is not None and connection.scalar(select(exists().where(which))) is True


def added_by(connection: Connection, image_id: str, request_id: str | None) -> list[AnnotationRow]:
    """The rows that the event of a request added, as they were then."""
    query = select(events.c.changes).where(events.c.image_id == image_id, events.c.request_id == request_id)
    steps: list[Step] = json.loads(connection.scalar(query) or "[]")
    return [row for before, after in steps if before is None and (row := _complete(after)) is not None]


def _complete(row: AnnotationRow | None) -> AnnotationRow | None:
    """A row of an event, with the columns that were added after the event."""
    return None if row is None else {"crowd": False, **row}


def _check(change: Change, image: Row[Any]) -> None:
    sides = [side for side in (change.before, change.after) if side]
    if not sides or len({side.id for side in sides}) > 1 or any(side.image_id != image.id for side in sides):
        raise Conflict("A change is about one annotation of this image.")
    if (after := change.after) is None:
        return
    if after.score is not None and not math.isfinite(after.score):
        raise InvalidMask("The score of the annotation is not a number.")
    rle.validate(after.mask)
    if change.before is None or change.before.mask != after.mask:  # else it was kept by an older version
        rle.check_intricacy(after.mask)
    if (after.mask.height, after.mask.width) != (image.height, image.width):
        size = f"{after.mask.width} x {after.mask.height}"
        raise InvalidMask(f"The mask is {size}, its image {image.width} x {image.height}.")
    if (after.area, after.bbox) != (rle.area(after.mask), rle.bbox(after.mask)):
        raise InvalidMask("The area or the box of the annotation is not that of its mask.")


def _present(connection: Connection, image_id: str, ids: Sequence[str]) -> dict[str, AnnotationRow]:
    rows: list[AnnotationRow] = []
    for first in range(0, len(ids), _BATCH):
        query = select(*COLUMNS).where(annotation_rows.c.image_id == image_id)
        found = connection.execute(query.where(annotation_rows.c.id.in_(ids[first : first + _BATCH])))
        rows += map(dict, found.mappings())
    return {row["id"]: row for row in rows}


def _apply(connection: Connection, image_id: str, present: Mapping[str, AnnotationRow], steps: Iterable[Step]) -> None:
    """Apply the steps one after the other to the rows present. Raises `Conflict` if one does not fit."""
    rows = dict(present)
    for before, after in steps:
        if before is not None and rows.pop(before["id"], None) != before:
            raise Conflict("The annotation was changed elsewhere in the meantime; reload the image.")
        if after is not None and rows.setdefault(after["id"], after) is not after:
            raise Conflict("The annotation exists already; reload the image.")
    stale = [{"stale": each} for each, row in present.items() if rows.get(each) != row]
    fresh = [row | {"image_id": image_id} for each, row in rows.items() if present.get(each) != row]
    if stale:
        one = delete(annotation_rows).where(
            annotation_rows.c.image_id == image_id, annotation_rows.c.id == bindparam("stale")
        )
        connection.execute(one, stale)
    if fresh:
        connection.execute(insert(annotation_rows), fresh)


def _next_event(image_id: str, undo: bool) -> Select[Any]:
    """The event that undo, or redo, would take next."""
    query = select(events).where(events.c.image_id == image_id, events.c.state == ("done" if undo else "undone"))
    return query.order_by(events.c.id.desc() if undo else events.c.id).limit(1)


def _set_state(connection: Connection, which: ColumnElement[bool], state: str) -> None:
    connection.execute(update(events).where(which).values(state=state))


def _advance(connection: Connection, image: Row[Any], author: str | None, **values: int) -> None:
    status = "in_progress" if image.status in ("new", "approved") else image.status
    query = update(images).where(images.c.id == image.id)
    connection.execute(query.values(revision=images.c.revision + 1, status=status, **values))
    project_versions.mark_image(connection, image.project_id, image.id, author)
