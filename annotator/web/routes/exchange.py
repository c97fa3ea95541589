"""Routes of files of other tools."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import Annotated

from fastapi import APIRouter, Depends, File, Query, Request, UploadFile
from fastapi.responses import StreamingResponse

from annotator.errors import InvalidRequest, StorageFull
from annotator.formats import registry
from annotator.formats.registry import all_formats, find_format
from annotator.settings import MIB
from annotator.types import Project
from annotator.web.auth import User, Viewer
from annotator.web.deps import OwnProject, SharedProject, Space, project_of
from annotator.web.schemas.exchange import Export, Format, Imported, Losses
from annotator.web.waiting import run_until_gone
from annotator.workspace import exports
from annotator.workspace.exchange import Selection
from annotator.workspace.export_file import ExportFile
from annotator.workspace.workspace import Workspace

router = APIRouter(tags=["import and export"])

_IN_MEMORY = 16 * MIB
"""Larger exports go through a temporary file."""

_CHUNK = MIB


@router.get("/formats")
def list_formats() -> list[Format]:
    """The formats in which objects can be exported, and whether they can be imported too."""
    return [Format.model_validate(each) for each in all_formats().values()]


@router.post("/projects/{project_id}/import")
def import_any_file(file: Annotated[UploadFile, File()], project: OwnProject, user: User, space: Space) -> Imported:
    """As the next one does, for a file whose bytes tell its format."""
    return _import(space, user, project, None, file)


@router.post("/projects/{project_id}/import/{format_name}")
def import_file(
    format_name: str, file: Annotated[UploadFile, File()], project: OwnProject, user: User, space: Space
) -> Imported:
    """Add the objects of a file to the images of the same names; what cannot be used is reported, the rest kept."""
    return _import(space, user, project, format_name, file)


def selection(image_id: str | None = None, finished: bool = False) -> Selection:
    """What of the project is exported, as the query says."""
    return Selection(image_id, finished)


Selected = Annotated[Selection, Depends(selection)]


def split_selection(
    selected: Selected, val: Annotated[float | None, Query(ge=0, le=1)] = None, seed: int = 0
) -> Selection:
    """The same with the part for validation."""
    return replace(selected, val=val, seed=seed)


Split = Annotated[Selection, Depends(split_selection)]


@router.get("/projects/{project_id}/export/{format_name}")
async def export_file(
    request: Request,
    format_name: str,
    project: SharedProject,
    space: Space,
    selected: Split,
) -> StreamingResponse:
    """All kept objects of the project, of one image, or of `finished` images (done or approved), as a file to download.

    Formats that tell training and validation apart take `val`, the share of the images for validation, and a `seed` for
    the choice. Without `val`, folders of the images called `train`, `val` or `test` tell.
    """
    kind = find_format(format_name)
    # Written as a whole first, so that a contradiction in the data is an error and not half a file.
    stream = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed when all of it was sent

    def write(check: Callable[[], None]) -> None:
        file = ExportFile(stream, Path(gettempdir()), check)
        space.exchange.export(project, format_name, file, selected, check=check)

    try:
        await run_until_gone(request, write)
    except BaseException as error:
        stream.close()
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise StorageFull("The export does not fit on the server's disk.") from error
        raise
    return _download(kind, _chunks(stream), stream.tell())


@router.post("/projects/{project_id}/exports/{format_name}", status_code=202, response_model=Export)
def start_export(
    format_name: str,
    project: SharedProject,
    user: User,
    space: Space,
    selected: Split,
) -> exports.Export:
    """Begin to write the same file in the background. It is kept for ten minutes after it was asked for last."""
    return space.exports.start(project, format_name, user, selected)


def export_of(export_id: str, viewer: Viewer, space: Space) -> exports.Export:
    """The export of the route, if the user may see its project."""
    export = space.exports.find(export_id)
    project_of(export.project_id, viewer, space)
    return export


OwnExport = Annotated[exports.Export, Depends(export_of)]


@router.get("/exports/{export_id}", response_model=Export)
def export_state(export: OwnExport) -> exports.Export:
    """How far an export is."""
    return export


@router.get("/exports/{export_id}/file", response_class=StreamingResponse)
def export_content(export: OwnExport, space: Space) -> StreamingResponse:
    """The file of an export that is done."""
    return _download(export.kind, space.exports.content(export), export.size)


@router.delete("/exports/{export_id}", status_code=204)
def cancel_export(export: OwnExport, space: Space) -> None:
    """Stop an export, or forget its file."""
    space.exports.cancel(export.id)


@router.get("/projects/{project_id}/export/{format_name}/losses")
async def export_losses(
    request: Request, format_name: str, project: SharedProject, space: Space, selected: Selected
) -> Losses:
    """What an export of the project, of one image or of `finished` images would lose of the masks.

    It takes about as long as the export.
    """
    measure = partial(space.exchange.losses, project, format_name, selected)
    return Losses.model_validate(await run_until_gone(request, measure))


def _download(kind: registry.Format, chunks: Iterator[bytes], size: int) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{kind.file_name}"', "Content-Length": str(size)}
    return StreamingResponse(chunks, media_type=kind.media_type, headers=headers)


def _import(space: Workspace, user: str, project: Project, format_name: str | None, file: UploadFile) -> Imported:
    limit = space.settings.max_upload_bytes
    if (file.size or 0) > limit:
        raise InvalidRequest(f"The file is larger than {limit // MIB} MiB: split it, or raise max_upload_bytes.")
    return Imported.model_validate(space.exchange.import_file(project, format_name, file.file, user))


def _chunks(stream: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with stream:
        stream.seek(0)
        while chunk := stream.read(_CHUNK):
            yield chunk
