"""The REST routes. Each one checks that what it names belongs to the user, then calls the workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from annotator import __version__, types
from annotator.errors import AnnotatorError, InvalidImage, InvalidMask, NotFound
from annotator.prompts import Refinement, View
from annotator.sam import zoo
from annotator.settings import ASSETS_DIR
from annotator.web import schemas as s
from annotator.web.auth import User
from annotator.workspace import SAMPLES, Workspace

_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}

router = APIRouter(
    prefix="/api",
    responses={code: {"model": s.Error} for code in (404, 409, 413, 422, 503)},
)


def workspace_of(request: Request) -> Workspace:
    """The workspace this server was made for."""
    workspace: Workspace = request.app.state.workspace
    return workspace


Space = Annotated[Workspace, Depends(workspace_of)]


def project_of(project_id: int, user: User, space: Space) -> types.Project:
    """The project of the route, if it is the user's."""
    project = space.store.project(project_id)
    if project.owner != user:
        raise NotFound("There is no such project.")
    return project


def image_of(image_id: str, user: User, space: Space) -> types.ImageRecord:
    """The image of the route, if it is the user's."""
    record = space.store.image(image_id)
    project_of(record.project_id, user, space)
    return record


OwnProject = Annotated[types.Project, Depends(project_of)]
OwnImage = Annotated[types.ImageRecord, Depends(image_of)]


def _image(space: Workspace, record: types.ImageRecord, annotations: int) -> s.Image:
    return s.Image.of(record, space.segmenter.has_embedding(record.pixel_key), annotations)


def _counted(space: Workspace, record: types.ImageRecord) -> s.Image:
    return _image(space, record, len(space.store.annotations(record.id)))


def _document(space: Workspace, record: types.ImageRecord) -> s.Document:
    document = space.document(record)
    return s.Document(
        image=_image(space, document.image, len(document.annotations)),
        annotations=[s.Annotation.of(each) for each in document.annotations],
        history=s.History.of(document.history),
    )


# --- the server and its models ---


@router.get("/status")
def status(user: User, space: Space) -> s.Status:
    """What model serves and why, what others there are, and the user's project."""
    now = space.segmenter.models.status
    loading = s.ModelLoading(name=now.loading[0], fraction=now.loading[1]) if now.loading else None
    fields = ("name", "title", "device", "dtype", "backend", "compiling", "reason", "error")
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
        project_id=space.home(user).id,
    )


@router.put("/model")
def switch_model(choice: s.SwitchModel, user: User, space: Space) -> s.Status:
    """Serve another model, downloading it first if needed; progress is in /status."""
    space.segmenter.models.switch(choice.name)
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


# --- images ---


@router.get("/projects/{project_id}/images")
def project_images(
    project: OwnProject,
    space: Space,
    status: types.ImageStatus | None = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> s.ImagePage:
    """The project's images in the order they came."""
    total, records = space.store.images(project.id, status, offset, limit)
    counts = space.store.annotation_counts(project.id)
    return s.ImagePage(total=total, images=[_image(space, each, counts.get(each.id, 0)) for each in records])


@router.post("/projects/{project_id}/images")
def upload(files: Annotated[list[UploadFile], File()], project: OwnProject, space: Space) -> s.Uploaded:
    """Take many files; each one that cannot be taken is named with its reason."""
    taken: list[s.Image] = []
    refused: list[s.UploadError] = []
    for file in files:
        name = file.filename or "image"
        try:
            data = file.file.read(space.settings.max_upload_bytes + 1)
            taken.append(_image(space, space.add_image(project, name, data), 0))
        except AnnotatorError as error:
            refused.append(s.UploadError(name=name, error=str(error)))
    if not taken:
        raise InvalidImage(" ".join(each.error for each in refused[:5]) or "No file was sent.")
    return s.Uploaded(images=taken, errors=refused)


@router.get("/samples")
def samples(user: User) -> list[s.Sample]:
    """The shipped photos."""
    return [
        s.Sample(name=name, title=title, thumbnail_url=f"/api/samples/{name}/thumbnail")
        for name, title in SAMPLES.items()
    ]


@router.get("/samples/{name}/thumbnail", response_class=Response)
def sample_thumbnail(name: str, user: User) -> Response:
    """A shipped photo as it is; they are small."""
    if name not in SAMPLES:
        raise NotFound("There is no such sample.")
    return Response((ASSETS_DIR / "samples" / f"{name}.jpg").read_bytes(), media_type="image/jpeg", headers=_FOREVER)


@router.post("/projects/{project_id}/samples")
def add_sample(choice: s.SampleChoice, project: OwnProject, space: Space) -> s.Image:
    """Add a shipped photo to the project."""
    return _counted(space, space.add_sample(project, choice.name))


@router.get("/images/{image_id}")
def image(record: OwnImage, space: Space) -> s.Image:
    """One image."""
    return _counted(space, record)


@router.patch("/images/{image_id}")
def change_image(change: s.ImageChange, record: OwnImage, space: Space) -> s.Image:
    """Set the status."""
    space.store.set_status(record.id, change.status)
    return _counted(space, space.store.image(record.id))


@router.delete("/images/{image_id}")
def delete_image(record: OwnImage, space: Space) -> dict[str, Any]:
    """Take an image out of the project; /restore brings it back with its objects."""
    space.store.delete_image(record.id)
    return {}


@router.post("/images/{image_id}/restore")
def restore_image(image_id: str, user: User, space: Space) -> s.Image:
    """Bring a deleted image back."""
    record = space.store.image(image_id, deleted=True)
    project_of(record.project_id, user, space)
    space.store.restore_image(image_id)
    return _counted(space, space.store.image(image_id))


@router.get("/images/{image_id}/pixels", response_class=Response)
def pixels(record: OwnImage, space: Space) -> Response:
    """The image, upright, as the browser shows it."""
    data, media_type = space.files.display(record.content_key)
    return Response(data, media_type=media_type, headers=_FOREVER)


@router.get("/images/{image_id}/thumbnail", response_class=Response)
def thumbnail(record: OwnImage, space: Space) -> Response:
    """A JPEG of at most 160 x 160 pixels."""
    return Response(space.files.thumbnail(record.content_key), media_type="image/jpeg", headers=_FOREVER)


@router.post("/images/{image_id}/open")
def open_image(record: OwnImage, user: User, space: Space, body: s.Opening | None = None) -> s.Document:
    """The image's document; its encode, and after it that of the upcoming ones, starts in the background."""
    space.open(record, [image_of(each, user, space) for each in (body.upcoming if body else [])])
    return _document(space, record)


@router.get("/images/{image_id}/document")
def document(record: OwnImage, space: Space) -> s.Document:
    """The image's document."""
    return _document(space, record)


@router.get("/images/{image_id}/history")
def history(record: OwnImage, space: Space) -> s.History:
    """Where the image stands in its journal; cheap, to notice changes of other tabs."""
    return s.History.of(space.store.history(record.id))


# --- prompting ---


@router.post("/images/{image_id}/prompt", response_model=s.PromptAnswer)
def prompt(body: s.PromptRequest, record: OwnImage, user: User, space: Space) -> Response:
    """Masks for the points and box of one object."""
    refine = Refinement(body.refine.token, body.refine.index) if body.refine else None
    hover = f"{user}:{body.client}:{record.id}" if body.kind == "hover" else None
    view = View(**body.view.model_dump()) if body.view else None
    answer = s.PromptAnswer.of(*space.prompt(record, body.prompt(), refine, body.annotation_id, hover, view))
    spans = answer.timing.model_dump(exclude_none=True)
    header = ", ".join(f"{name};dur={value:.2f}" for name, value in spans.items())
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Server-Timing": header})


# --- annotations ---


@router.post("/images/{image_id}/annotations")
def keep(new: s.NewAnnotation, record: OwnImage, space: Space) -> s.Kept:
    """Keep an object."""
    mask = new.mask.rle(record.height, record.width)
    prompts = new.prompts.model_dump()
    kept, journal = space.annotations.keep(record, new.label_id, mask, new.score, new.source, prompts, new.request_id)
    return s.Kept(annotation=s.Annotation.of(kept), history=s.History.of(journal))


@router.patch("/images/{image_id}/annotations/{annotation_id}")
def update(annotation_id: str, change: s.AnnotationChange, record: OwnImage, space: Space) -> s.Kept:
    """Relabel or correct an object."""
    fields = change.fields(record.height, record.width)
    kept, journal = space.annotations.update(record, annotation_id, fields, change.request_id)
    return s.Kept(annotation=s.Annotation.of(kept), history=s.History.of(journal))


@router.delete("/images/{image_id}/annotations/{annotation_id}")
def delete(annotation_id: str, record: OwnImage, space: Space, request_id: str | None = None) -> s.Deleted:
    """Delete an object."""
    return s.Deleted(history=s.History.of(space.annotations.delete(record, [annotation_id], request_id)))


@router.post("/images/{image_id}/annotations/merge")
def merge(body: s.Merge, record: OwnImage, space: Space) -> s.Document:
    """Merge objects."""
    space.annotations.merge(record, body.ids, body.request_id)
    return _document(space, record)


@router.post("/images/{image_id}/annotations/{annotation_id}/split")
def split(annotation_id: str, body: s.Split, record: OwnImage, space: Space) -> s.Document:
    """Split an object into its parts."""
    space.annotations.split(record, annotation_id, body.request_id)
    return _document(space, record)


@router.post("/images/{image_id}/annotations/{annotation_id}/clean")
def clean(annotation_id: str, body: s.Clean, record: OwnImage, space: Space) -> s.Document:
    """Fill holes and drop specks of an object."""
    space.annotations.clean(record, annotation_id, body.fill_holes, body.drop_specks, body.request_id)
    return _document(space, record)


def _walk(step: Callable[[str], types.History], record: types.ImageRecord, space: Workspace) -> s.Document:
    step(record.id)
    return _document(space, record)


@router.post("/images/{image_id}/undo")
def undo(record: OwnImage, space: Space) -> s.Document:
    """Take the last change of this image back."""
    return _walk(space.store.undo, record, space)


@router.post("/images/{image_id}/redo")
def redo(record: OwnImage, space: Space) -> s.Document:
    """Repeat the change that was taken back last."""
    return _walk(space.store.redo, record, space)


# --- automatic masks ---


@router.post("/images/{image_id}/automask")
def start_automask(body: s.AutomaskRequest, record: OwnImage, space: Space) -> s.JobStarted:
    """Start proposing masks."""
    return s.JobStarted(job_id=space.start_automask(record, body.points_per_side, body.region).id)


@router.get("/jobs/{job_id}")
def job(job_id: str, user: User, space: Space, since: Annotated[int, Query(ge=0)] = 0) -> s.Job:
    """How far a run is, and its proposals from number `since` on."""
    run = space.jobs.get(job_id)
    image_of(run.image_id, user, space)
    state = run.state  # before the proposals: they are complete once it is "done"
    found = list(enumerate(run.proposals))[since:]
    return s.Job(
        state=state,
        done=run.progress.done,
        total=run.progress.total,
        error=run.error,
        proposals=[s.AutomaskProposal.of(index, each) for index, each in found],
    )


@router.delete("/jobs/{job_id}")
def cancel_job(job_id: str, user: User, space: Space) -> dict[str, Any]:
    """Cancel a run."""
    run = space.jobs.get(job_id)
    image_of(run.image_id, user, space)
    run.cancel()
    return {}


@router.post("/images/{image_id}/automask/accept")
def accept(body: s.AcceptProposals, record: OwnImage, space: Space) -> s.Document:
    """Keep proposals as objects."""
    run = space.jobs.get(body.job_id)
    space.annotations.accept(record, run, body.indices, body.label_id, body.request_id)
    return _document(space, record)


# --- files of other tools ---


@router.post("/projects/{project_id}/import/coco")
def import_coco(file: Annotated[UploadFile, File()], project: OwnProject, space: Space) -> s.Imported:
    """Add the objects of a COCO file to the images of the same names; each bad entry is reported, the rest kept."""
    data = file.file.read(space.settings.max_upload_bytes + 1)
    if len(data) > space.settings.max_upload_bytes:
        raise InvalidMask(f"The file is larger than {space.settings.max_upload_bytes >> 20} MiB.")
    kept, problems = space.import_coco(project, data)
    return s.Imported(kept=kept, problems=problems[:1000])


@router.get("/projects/{project_id}/export/coco")
def export_coco(project: OwnProject, space: Space, image_id: str | None = None) -> JSONResponse:
    """All kept objects as COCO RLE, as a file to download."""
    headers = {"Content-Disposition": 'attachment; filename="annotations.json"'}
    return JSONResponse(space.export_coco(project, image_id), headers=headers)
