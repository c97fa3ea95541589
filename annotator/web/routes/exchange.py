"""Routes of files of other tools."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import StreamingResponse

from annotator.errors import InvalidRequest
from annotator.formats.registry import find_format
from annotator.settings import MIB
from annotator.web.deps import OwnProject, Space
from annotator.web.schemas.projects import Imported

router = APIRouter(tags=["import and export"])

_IN_MEMORY = 16 * MIB
"""Larger exports go through a temporary file."""

_CHUNK = MIB


@router.post("/projects/{project_id}/import/{format_name}")
def import_file(format_name: str, file: Annotated[UploadFile, File()], project: OwnProject, space: Space) -> Imported:
    """Add the objects of a file to the images of the same names; what cannot be used is reported, the rest kept."""
    limit = space.settings.max_upload_bytes
    if (file.size or 0) > limit:
        raise InvalidRequest(f"The file is larger than {limit // MIB} MiB: split it, or raise max_upload_bytes.")
    kept, problems = space.exchange.import_file(project, format_name, file.file)
    return Imported(kept=kept, problems=problems)


@router.get("/projects/{project_id}/export/{format_name}")
def export_file(format_name: str, project: OwnProject, space: Space, image_id: str | None = None) -> StreamingResponse:
    """All kept objects of the project, or of one image, as a file to download."""
    kind = find_format(format_name)
    # Written as a whole first, so that a contradiction in the data is an error and not half a file.
    stream = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed when all of it was sent
    try:
        space.exchange.export(project, format_name, stream, image_id)
    except BaseException:
        stream.close()
        raise
    headers = {
        "Content-Disposition": f'attachment; filename="{kind.file_name}"',
        "Content-Length": str(stream.tell()),
    }
    return StreamingResponse(_chunks(stream), media_type=kind.media_type, headers=headers)


def _chunks(stream: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with stream:
        stream.seek(0)
        while chunk := stream.read(_CHUNK):
            yield chunk
