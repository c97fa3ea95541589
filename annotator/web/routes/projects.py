"""Routes of the server itself, its models, projects, labels, and files of other tools."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, UploadFile
from fastapi.responses import JSONResponse

from annotator import __version__, types
from annotator.errors import InvalidRequest, NotFound
from annotator.sam import zoo
from annotator.web.auth import User
from annotator.web.deps import (
    OwnProject,
    Space,
)
from annotator.web.schemas import projects as s

router = APIRouter()


# --- the server and its models ---


@router.get("/status")
def status(user: User, space: Space) -> s.Status:
    """What model serves and why, what others there are, and the user's project."""
    now = space.segmenter.models.status
    loading = s.ModelLoading(name=now.loading[0], fraction=now.loading[1]) if now.loading else None
    fields = ("name", "title", "device", "dtype", "image_size", "backend", "compiling", "reason", "error")
    return s.Status(
        version=__version__,
        model=s.Model(loading=loading, **{field: getattr(now, field) for field in fields}),
        models=[
            s.ModelChoice(
                name=spec.name,
                title=spec.title,
                ready=zoo.is_present(spec, space.settings.models_dir),
                size_mb=round(spec.size_bytes / 1e6, 1),
            )
            for spec in zoo.MODELS.values()
        ],
        image_folders=[str(each) for each in space.image_folders],
        project_id=space.home(user).id,
    )


@router.put("/model")
def switch_model(choice: s.SwitchModel, user: User, space: Space) -> s.Status:
    """Serve another model, downloading it first if needed: answers when it serves; progress is in /status."""
    space.segmenter.models.switch_and_wait(choice.name)
    return status(user, space)


# --- projects and labels ---


@router.get("/projects")
def projects(user: User, space: Space) -> list[s.Project]:
    """The user's projects."""
    space.home(user)
    return [s.Project(id=each.id, name=each.name) for each in space.store.projects(user)]


@router.post("/projects")
def create_project(new: s.NewProject, user: User, space: Space) -> s.Project:
    """Start a project."""
    project = space.store.create_project(new.name, user)
    return s.Project(id=project.id, name=project.name)


def _label(label: types.Label) -> s.Label:
    return s.Label(**{field: getattr(label, field) for field in s.Label.model_fields})


@router.get("/projects/{project_id}/labels")
def labels(project: OwnProject, space: Space) -> list[s.Label]:
    """The project's labels."""
    return [_label(each) for each in space.store.labels(project.id)]


@router.post("/projects/{project_id}/labels")
def add_label(new: s.NewLabel, project: OwnProject, space: Space) -> s.Label:
    """Add a label."""
    return _label(space.store.add_label(project.id, new.name, new.color, new.supercategory, new.key))


def label_of(label_id: int, user: User, space: Space) -> types.Label:
    """The label of the route, if it is the user's."""
    for project in space.store.projects(user):
        for label in space.store.labels(project.id):
            if label.id == label_id:
                return label
    raise NotFound("There is no such label.")


OwnLabel = Annotated[types.Label, Depends(label_of)]


@router.patch("/labels/{label_id}")
def change_label(change: s.LabelChange, label: OwnLabel, space: Space) -> s.Label:
    """Set fields of a label."""
    return _label(space.store.update_label(replace(label, **change.model_dump(exclude_unset=True))))


@router.delete("/labels/{label_id}")
def delete_label(label: OwnLabel, space: Space) -> dict[str, Any]:
    """Delete a label no object has."""
    space.store.delete_label(label.id)
    return {}


# --- files of other tools ---


@router.post("/projects/{project_id}/import/coco")
def import_coco(file: Annotated[UploadFile, File()], project: OwnProject, space: Space) -> s.Imported:
    """Add the objects of a COCO file to the images of the same names; each bad entry is reported, the rest kept."""
    data = file.file.read(space.settings.max_upload_bytes + 1)
    if len(data) > space.settings.max_upload_bytes:
        raise InvalidRequest(f"The file is larger than {space.settings.max_upload_bytes >> 20} MiB.")
    kept, problems = space.import_coco(project, data)
    return s.Imported(kept=kept, problems=problems[:1000])


@router.get("/projects/{project_id}/export/coco")
def export_coco(project: OwnProject, space: Space, image_id: str | None = None) -> JSONResponse:
    """All kept objects as COCO RLE, as a file to download."""
    headers = {"Content-Disposition": 'attachment; filename="annotations.json"'}
    return JSONResponse(space.export_coco(project, image_id), headers=headers)
