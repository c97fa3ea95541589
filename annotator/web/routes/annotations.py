"""Routes of objects and their history."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from annotator.web.auth import User
from annotator.web.deps import SharedImage, Space, document_reply
from annotator.web.schemas.annotations import (
    Annotation,
    AnnotationChange,
    AnnotationReply,
    CleanRequest,
    CorrectionReply,
    Document,
    History,
    HistoryReply,
    NewAnnotation,
    NewAnnotations,
    ObjectsRequest,
    RelabelRequest,
    UndoRequest,
)
from annotator.web.schemas.masks import Mask

router = APIRouter(tags=["objects"])


@router.post("/images/{image_id}/annotations", status_code=201)
def keep(new: NewAnnotation, record: SharedImage, user: User, space: Space) -> AnnotationReply:
    """Keep an object."""
    kept, journal = space.annotations.by(user).keep(record, new.new_object(record.height, record.width), new.request_id)
    return AnnotationReply(annotation=Annotation.model_validate(kept), history=History.model_validate(journal))


@router.post("/images/{image_id}/annotations/many")
def keep_many(new: NewAnnotations, record: SharedImage, user: User, space: Space) -> Document:
    """Keep objects together, such as automatic masks."""
    objects = [each.new_object(record.height, record.width) for each in new.objects]
    space.annotations.by(user).keep_many(record, objects, new.merge, new.request_id)
    return document_reply(space, space.document(record))


@router.patch("/images/{image_id}/annotations/{annotation_id:uuid}")
def update(
    annotation_id: UUID, change: AnnotationChange, record: SharedImage, user: User, space: Space
) -> CorrectionReply:
    """Relabel or correct an object."""
    fields = change.fields(record.height, record.width)
    kept, before, journal = space.annotations.by(user).update(record, annotation_id.hex, fields, change.request_id)
    replaced = Mask.shown(before.mask) if before and "mask" in fields else None
    return CorrectionReply(
        annotation=Annotation.model_validate(kept), history=History.model_validate(journal), replaced=replaced
    )


@router.post("/images/{image_id}/annotations/delete")
def delete(body: ObjectsRequest, record: SharedImage, user: User, space: Space) -> HistoryReply:
    """Delete objects."""
    return HistoryReply(
        history=History.model_validate(space.annotations.by(user).delete(record, body.ids, body.request_id))
    )


@router.post("/images/{image_id}/annotations/relabel")
def relabel(body: RelabelRequest, record: SharedImage, user: User, space: Space) -> HistoryReply:
    """Give objects another label."""
    history = space.annotations.by(user).relabel(record, body.ids, body.label_id, body.request_id)
    return HistoryReply(history=History.model_validate(history))


@router.post("/images/{image_id}/annotations/merge")
def merge(body: ObjectsRequest, record: SharedImage, user: User, space: Space) -> Document:
    """Merge objects into the first one."""
    space.annotations.by(user).merge(record, body.ids, body.request_id)
    return document_reply(space, space.document(record))


@router.post("/images/{image_id}/annotations/split")
def split(body: ObjectsRequest, record: SharedImage, user: User, space: Space) -> Document:
    """Split objects into their parts."""
    space.annotations.by(user).split(record, body.ids, body.request_id)
    return document_reply(space, space.document(record))


@router.post("/images/{image_id}/annotations/clean")
def clean(body: CleanRequest, record: SharedImage, user: User, space: Space) -> Document:
    """Fill holes and drop specks of objects."""
    space.annotations.by(user).clean(record, body.ids, body.fill_holes, body.drop_specks, body.request_id)
    return document_reply(space, space.document(record))


@router.post("/images/{image_id}/undo")
def undo(record: SharedImage, user: User, space: Space, body: UndoRequest | None = None) -> Document:
    """Take the last change of this image back."""
    space.store.undo(record.id, body.revision if body else None, user)
    return document_reply(space, space.document(record))


@router.post("/images/{image_id}/redo")
def redo(record: SharedImage, user: User, space: Space, body: UndoRequest | None = None) -> Document:
    """Repeat the change that was taken back last."""
    space.store.redo(record.id, body.revision if body else None, user)
    return document_reply(space, space.document(record))
