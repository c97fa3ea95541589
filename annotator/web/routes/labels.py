"""Routes of labels."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from annotator import types
from annotator.errors import NotFound
from annotator.web.auth import Viewer
from annotator.web.deps import OwnLabel, OwnProject, SharedLabel, SharedProject, Space
from annotator.web.schemas.projects import Label, LabelChange, LabelUsage, MergeRequest, NewLabel

router = APIRouter(tags=["labels"])


@router.get("/projects/{project_id}/labels", response_model=list[Label])
def labels(project: SharedProject, space: Space) -> list[types.Label]:
    """The project's labels."""
    return space.store.labels(project.id)


@router.post("/projects/{project_id}/labels", response_model=Label, status_code=201)
def add_label(new: NewLabel, project: OwnProject, space: Space) -> types.Label:
    """Add a label."""
    return space.store.add_label(project.id, new.name, new.color, new.supercategory, new.key)


@router.patch("/labels/{label_id}", response_model=Label)
def change_label(change: LabelChange, label: OwnLabel, space: Space) -> types.Label:
    """Set fields of a label."""
    return space.store.update_label(replace(label, **change.model_dump(exclude_unset=True)))


@router.delete("/labels/{label_id}", status_code=204)
def delete_label(label: OwnLabel, space: Space) -> None:
    """Delete a label no object has."""
    space.store.delete_label(label.id)


@router.get("/labels/{label_id}/usage")
def label_usage(label: SharedLabel, space: Space) -> LabelUsage:
    """How many objects have the label, not counting those of removed images."""
    return LabelUsage(annotations=space.store.label_usage(label))


@router.post("/labels/{label_id}/merge", response_model=Label)
def merge_label(body: MergeRequest, label: OwnLabel, viewer: Viewer, space: Space) -> types.Label:
    """Give the label's objects to another label of the project, which is returned. Splitting takes that back."""
    return space.store.merge_labels(label.id, space.store.label(body.into, viewer).id)


@router.post("/projects/{project_id}/labels/{label_id}/split", response_model=Label)
def split_label(label_id: int, project: OwnProject, space: Space) -> types.Label:
    """Take the merging of a label into another one back."""
    if label_id not in {label.id for label, _ in space.store.merged_labels(project.id)}:
        raise NotFound("There is no such merged label in this project.")
    return space.store.split_label(label_id)
