"""Routes of images: upload, samples, pixels, opening, deleting."""

from __future__ import annotations

import logging
from typing import Annotated, NoReturn

from fastapi import APIRouter, File, Query, Request, Response, UploadFile

from annotator import types
from annotator.errors import (
    AnnotatorError,
    Busy,
    DatabaseUnavailable,
    ImageStoreUnavailable,
    InvalidImage,
    NotFound,
    QuotaExceeded,
    StorageFull,
)
from annotator.imaging.names import upload_name
from annotator.settings import ASSETS_DIR
from annotator.storage.folders import images_in
from annotator.web.auth import User, Viewer
from annotator.web.deps import (
    OwnImage,
    OwnProject,
    ReviewedImage,
    SharedImage,
    SharedProject,
    Space,
    counted_image,
    document_reply,
    image_reply,
    tagged,
)
from annotator.web.schemas.annotations import Document, History
from annotator.web.schemas.images import (
    Image,
    ImageChange,
    ImagePage,
    NextImage,
    NextRequest,
    OpenRequest,
    Review,
    Sample,
    SampleChoice,
    ServerFile,
    ServerFolder,
    Uploaded,
    UploadError,
)
from annotator.workspace.images import SAMPLES

_SAME_FOR_ALL = {StorageFull, QuotaExceeded, Busy, DatabaseUnavailable, ImageStoreUnavailable}
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}

log = logging.getLogger(__name__)

router = APIRouter(tags=["images"])


@router.get("/projects/{project_id}/images")
def project_images(
    project: SharedProject,
    space: Space,
    status: types.ImageStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    after: str | None = None,
    removed: bool = False,
) -> ImagePage:
    """The project's images in the order they came, or those in its bin, page by page: `after` is a page's `next`."""
    version = space.store.version(project.id).version  # first: what changes meanwhile is among the events after it
    total, records = space.store.images(project.id, status, limit, after, removed)
    counts = space.store.annotation_counts([each.id for each in records])
    following = records[-1].id if len(records) == limit else None
    found = [image_reply(space, each, counts[each.id]) for each in records]
    return ImagePage(total=total, images=found, next=following, version=version)


@router.post("/projects/{project_id}/images")
def upload(files: Annotated[list[UploadFile], File()], project: OwnProject, space: Space) -> Uploaded:
    """Take many files. Each one that cannot be taken is named with its reason; `known` are there already."""
    taken: list[Image] = []
    known: list[Image] = []
    refused: list[tuple[str, AnnotatorError]] = []
    for file in files:
        name = upload_name(file.filename or "")
        try:
            data = file.file.read(space.settings.max_upload_bytes + 1)
            record, is_new = space.images.add(project, name, data)
            (taken if is_new else known).append(counted_image(space, record))
        except AnnotatorError as error:
            refused.append((name, error))
        except Exception:
            log.exception("An upload could not be processed.")
            refused.append((name, InvalidImage(f"{name} could not be processed; the server's log has the details.")))
    if not taken and not known:
        _refuse([error for _, error in refused])
    errors = [UploadError(name=name, error=str(error)) for name, error in refused]
    return Uploaded(images=taken, known=known, errors=errors)


def _refuse(errors: list[AnnotatorError]) -> NoReturn:
    """No file was taken: raise the one reason there is, or all of them in one."""
    kinds = {type(error) for error in errors}
    if len(kinds) == 1 and (len(errors) == 1 or kinds <= _SAME_FOR_ALL):
        raise errors[0]
    raise InvalidImage(" ".join(str(error) for error in errors[:5]) or "No file was sent.")


@router.get("/folders")
def server_folder(path: str, user: User, space: Space) -> ServerFolder:
    """The image files in a folder of the server, if the operator allowed it."""
    return ServerFolder(images=images_in(path, space.images.folders_of(user)))


@router.post("/projects/{project_id}/folder-images")
def add_from_server(file: ServerFile, project: OwnProject, user: User, space: Space) -> Image:
    """Add an image file of the server; one that is already in the project is returned as it is."""
    return counted_image(space, space.images.add_from_server(project, file.path, user))


@router.get("/samples")
def samples(user: User) -> list[Sample]:
    """The shipped photos."""
    return [
        Sample(name=name, title=title, thumbnail_url=f"api/v1/samples/{name}/thumbnail")
        for name, title in SAMPLES.items()
    ]


@router.get("/samples/{name}/thumbnail", response_class=Response)
def sample_thumbnail(name: str, user: User) -> Response:
    """A shipped photo as it is; they are small."""
    if name not in SAMPLES:
        raise NotFound("There is no such sample.")
    return Response((ASSETS_DIR / "samples" / f"{name}.jpg").read_bytes(), media_type="image/jpeg", headers=_FOREVER)


@router.post("/projects/{project_id}/samples")
def add_sample(choice: SampleChoice, project: OwnProject, space: Space) -> Image:
    """Add a shipped photo to the project."""
    return counted_image(space, space.images.add_sample(project, choice.name))


@router.get("/images/{image_id}")
def image(record: SharedImage, space: Space) -> Image:
    """One image."""
    return counted_image(space, record)


@router.patch("/images/{image_id}")
def change_image(change: ImageChange, record: SharedImage, user: User, space: Space) -> Image:
    """Set how far the work on the image is."""
    space.store.set_status(record.id, change.status, user)
    return counted_image(space, space.store.image(record.id))


@router.put("/images/{image_id}/review")
def review(body: Review, record: ReviewedImage, user: User, space: Space) -> Image:
    """Approve the image, or reject it with a comment. Changing an approved image takes the approval back."""
    space.store.review(record.id, body.verdict, user, body.comment, body.revision)
    return counted_image(space, space.store.image(record.id))


@router.post("/projects/{project_id}/next-image")
def next_image(body: NextRequest, project: SharedProject, user: User, space: Space) -> NextImage:
    """Take the next image that is neither done nor approved, and that nobody has open. Two who ask get two images."""
    record = space.store.take_next(project.id, user, body.client, body.after)
    return NextImage(image=None if record is None else counted_image(space, record))


@router.delete("/images/{image_id}", status_code=204)
def delete_image(record: OwnImage, user: User, space: Space) -> None:
    """Take an image out of the project; /restore brings it back with its objects."""
    space.store.delete_image(record.id, user)


@router.post("/images/{image_id}/restore")
def restore_image(image_id: str, user: User, viewer: Viewer, space: Space) -> Image:
    """Bring a deleted image back."""
    space.store.image(image_id, viewer, removed=True)
    space.store.restore_image(image_id, user)
    return counted_image(space, space.store.image(image_id))


@router.delete("/projects/{project_id}/bin")
def empty_bin(project: OwnProject, space: Space) -> dict[str, int]:
    """Remove the images in the project's bin for good, with their objects and files."""
    images, _ = space.images.library.purge(project.id)
    return {"removed": images}


@router.get("/images/{image_id}/pixels", response_class=Response)
def pixels(record: SharedImage, space: Space) -> Response:
    """The image, upright, as the browser shows it."""
    data, media_type = space.images.files.display(record.content_key)
    return Response(data, media_type=media_type, headers=_FOREVER)


@router.get("/images/{image_id}/thumbnail", response_class=Response)
def thumbnail(image_id: str, viewer: Viewer, space: Space) -> Response:
    """A JPEG of at most 160 x 160 pixels, also of an image in the bin."""
    try:
        record = space.store.image(image_id, viewer, "annotate")
    except NotFound:
        record = space.store.image(image_id, viewer, "annotate", removed=True)
    return Response(space.images.files.thumbnail(record.content_key), media_type="image/jpeg", headers=_FOREVER)


@router.post("/images/{image_id}/open")
def open_image(
    record: SharedImage, user: User, viewer: Viewer, space: Space, body: OpenRequest | None = None
) -> Document:
    """The image's document; its encode, and after it that of the upcoming ones, starts in the background."""
    if body and body.client:
        space.store.take(record.id, user, body.client)
    upcoming = space.store.images_by_id(body.upcoming, viewer) if body else []  # some may be removed in another tab
    return document_reply(space, space.open(record, upcoming))


@router.get("/images/{image_id}/document", response_model=Document, responses={304: {"description": "Not Modified"}})
def document(record: SharedImage, request: Request, space: Space) -> Response:
    """The image's document, with an ETag: `If-None-Match` answers 304 while nothing has changed."""
    return tagged(request, document_reply(space, space.document(record)))


@router.get("/images/{image_id}/history", response_model=History)
def history(record: SharedImage, space: Space) -> types.History:
    """Where the image stands in its journal; cheap, to notice changes of other tabs."""
    return space.store.history(record.id)
