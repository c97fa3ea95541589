"""Keeping and correcting objects: every use case is one step of the image's journal."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from annotator.errors import InvalidMask, InvalidRequest, NotFound
from annotator.masks import edit
from annotator.masks import rle as rles
from annotator.storage.store import Store
from annotator.types import LOCAL_USER, MAX_POINTS, RLE, Annotation, Change, History, ImageRecord, Source
from annotator.words import counted


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object to keep. `prompts` are what produced the mask, see `Annotation`."""

    label_id: int
    mask: RLE
    score: float | None = None
    source: Source = "prompt"
    prompts: dict[str, Any] = field(default_factory=dict)
    crowd: bool = False


def new_annotation(image_id: str, new: NewObject, annotation_id: str) -> Annotation:
    """An annotation, not yet committed. Raises InvalidMask for an empty mask."""
    area = rles.area(new.mask)
    if not area:
        raise InvalidMask("The mask is empty; there is nothing to keep.")
    return Annotation(
        id=annotation_id,
        image_id=image_id,
        label_id=new.label_id,
        mask=new.mask,
        area=area,
        bbox=rles.bbox(new.mask),
        score=new.score,
        source=new.source,
        prompts=new.prompts,
        crowd=new.crowd,
    )


class Annotations:
    """The objects of images. With a `request_id`, a request can be repeated safely: the second time nothing changes.

    The journal names the author of each change.
    """

    def __init__(self, store: Store, author: str = LOCAL_USER) -> None:
        self._store, self._author = store, author

    def by(self, author: str) -> Annotations:
        """The same, for changes that another user makes."""
        return Annotations(self._store, author)

    def keep(self, record: ImageRecord, new: NewObject, request_id: str | None = None) -> tuple[Annotation, History]:
        """Add an object. With a `request_id` seen before, nothing is added again.

        Then the object is given as it is stored; if it was deleted meanwhile, as it was when it was kept. Raises
        Conflict if the first request with this id did something else.
        """
        # The id follows from the request, so that a repeated request finds what the first one made.
        seed = f"{record.id}:{request_id or uuid.uuid4().hex}"
        annotation = new_annotation(record.id, new, uuid.uuid5(uuid.NAMESPACE_OID, seed).hex)
        history = self._commit(record.id, "keep object", [Change(None, annotation)], request_id)
        try:
            return self._store.annotation(record.id, annotation.id), history
        except NotFound:
            return self._store.kept_by(record.id, request_id), history

    def update(
        self, record: ImageRecord, annotation_id: str, changes: dict[str, Any], request_id: str | None
    ) -> tuple[Annotation, Annotation | None, History]:
        """Set `label_id`, `mask`, `prompts` or `score` of an object.

        Also gives what it was before, None if the request was seen before. Raises TooIntricate rather than replace a
        mask that nobody could see.
        """
        if self._store.has_request(record.id, request_id):
            return self._store.annotation(record.id, annotation_id), None, self._store.history(record.id)
        before = self._store.annotation(record.id, annotation_id)
        fields = {name: getattr(before, name) for name in ("label_id", "mask", "score", "source", "prompts", "crowd")}
        if "mask" in changes:
            rles.check_intricacy(before.mask)
            fields["score"] = None  # it was the old mask's
        after = new_annotation(record.id, NewObject(**{**fields, **changes}), annotation_id)
        kind = "correct object" if "mask" in changes else "relabel object"
        history = self._commit(record.id, kind, [Change(before, after)], request_id)
        return self._store.annotation(record.id, annotation_id), before, history

    def delete(self, record: ImageRecord, annotation_ids: Iterable[str], request_id: str | None) -> History:
        """Remove objects, in one step of the history."""
        if self._store.has_request(record.id, request_id):
            return self._store.history(record.id)
        unique = dict.fromkeys(annotation_ids)
        changes = [Change(self._store.annotation(record.id, each), None) for each in unique]
        return self._commit(record.id, _of("delete", changes), changes, request_id)

    def merge(self, record: ImageRecord, annotation_ids: Sequence[str], request_id: str | None) -> History:
        """Replace objects by their union, under the first one's label."""
        if self._store.has_request(record.id, request_id):
            return self._store.history(record.id)
        parts = [self._store.annotation(record.id, each) for each in dict.fromkeys(annotation_ids)]
        if len(parts) < 2:
            raise InvalidRequest("Select at least two objects to merge.")
        first, *rest = parts
        merged = _with_mask(first, reduce(rles.union, (each.mask for each in parts)), first.id)
        changes = [Change(first, merged), *(Change(each, None) for each in rest)]
        return self._commit(record.id, "merge objects", changes, request_id)

    def relabel(
        self, record: ImageRecord, annotation_ids: Iterable[str], label_id: int, request_id: str | None
    ) -> History:
        """Give objects another label, in one step of the history."""
        if self._store.has_request(record.id, request_id):
            return self._store.history(record.id)
        before = [self._store.annotation(record.id, each) for each in dict.fromkeys(annotation_ids)]
        changes = [Change(each, replace(each, label_id=label_id)) for each in before if each.label_id != label_id]
        return self._commit(record.id, _of("relabel", changes), changes, request_id)

    def split(self, record: ImageRecord, annotation_ids: Iterable[str], request_id: str | None) -> History:
        """Replace objects by their connected parts, in one step; the largest part keeps the object's identity."""
        if self._store.has_request(record.id, request_id):
            return self._store.history(record.id)
        changes = []
        for each in dict.fromkeys(annotation_ids):
            before = self._store.annotation(record.id, each)
            largest, *others = edit.split(before.mask)
            if others:
                changes.append(Change(before, _with_mask(before, largest, before.id)))
                changes += [Change(None, _with_mask(before, part, uuid.uuid4().hex)) for part in others]
        if not changes:
            raise InvalidRequest("It is all in one piece.")
        return self._commit(record.id, "split object", changes, request_id)

    def clean(
        self,
        record: ImageRecord,
        annotation_ids: Iterable[str],
        fill_holes: int,
        drop_specks: int,
        request_id: str | None,
    ) -> History:
        """Fill holes and drop specks of at most so many pixels, in one step; where there are none, nothing changes."""
        if self._store.has_request(record.id, request_id):
            return self._store.history(record.id)
        changes = []
        for each in dict.fromkeys(annotation_ids):
            before = self._store.annotation(record.id, each)
            mask = edit.drop_specks(edit.fill_holes(before.mask, fill_holes), drop_specks)
            if not rles.area(mask):
                raise InvalidRequest("Nothing would be left of an object.")
            if mask != before.mask:
                changes.append(Change(before, _with_mask(before, mask, before.id)))
        return self._commit(record.id, "clean object", changes, request_id)

    def keep_many(
        self, record: ImageRecord, objects: Sequence[NewObject], merge: bool, request_id: str | None
    ) -> History:
        """Add objects, or their union as one under the first one's label, in one step of the history."""
        if self._store.has_request(record.id, request_id):
            return self._store.history(record.id)
        if merge:
            objects = [_union(objects)]
        changes = [Change(None, new_annotation(record.id, each, uuid.uuid4().hex)) for each in objects]
        return self._commit(record.id, _of("keep", changes), changes, request_id)

    def _commit(self, image_id: str, kind: str, changes: Sequence[Change], request_id: str | None) -> History:
        return self._store.commit(image_id, kind, changes, request_id, self._author)


def _union(objects: Sequence[NewObject]) -> NewObject:
    """One object of the masks of several; it has a score only if it is made of one."""
    if len(objects) == 1:
        return objects[0]
    mask = reduce(rles.union, (each.mask for each in objects))
    points = [point for each in objects for point in each.prompts.get("points", [])]
    return replace(objects[0], mask=mask, score=None, prompts={"points": points[:MAX_POINTS], "box": None})


def _with_mask(before: Annotation, mask: RLE, annotation_id: str) -> Annotation:
    """The object with another mask, as an edit by hand: the score and the prompts were the old mask's."""
    area, bbox = rles.area(mask), rles.bbox(mask)
    return replace(before, id=annotation_id, mask=mask, area=area, bbox=bbox, score=None, source="edit", prompts={})


def _of(what: str, changes: Sequence[Change]) -> str:
    return f"{what} object" if len(changes) == 1 else f"{what} {counted(len(changes), 'object')}"
