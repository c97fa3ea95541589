"""Routes of files of other tools."""

from __future__ import annotations

from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, File, Response, UploadFile

from annotator.errors import InvalidRequest
from annotator.formats.registry import find_format
from annotator.web.deps import OwnProject, Space
from annotator.web.schemas.projects import Imported

router = APIRouter(tags=["import and export"])

_MAX_PROBLEMS = 1000


@router.post("/projects/{project_id}/import/coco")
def import_coco(file: Annotated[UploadFile, File()], project: OwnProject, space: Space) -> Imported:
    """Add the objects of a COCO file to the images of the same names; each bad entry is reported, the rest kept."""
    data = file.file.read(space.settings.max_upload_bytes + 1)
    if len(data) > space.settings.max_upload_bytes:
        raise InvalidRequest(f"The file is larger than {space.settings.max_upload_bytes >> 20} MiB.")
    kept, problems = space.exchange.import_coco(project, data)
    return Imported(kept=kept, problems=problems[:_MAX_PROBLEMS])


@router.get("/projects/{project_id}/export/{name}", response_class=Response)
def export(project: OwnProject, space: Space, name: str, image_id: str | None = None) -> Response:
    """All kept objects, as a file to download in the format of this name, such as `coco`."""
    chosen, content = find_format(name), BytesIO()
    space.exchange.export(project, content, chosen, image_id)
    headers = {"Content-Disposition": f'attachment; filename="annotations{chosen.suffix}"'}
    return Response(content.getvalue(), media_type=chosen.media_type, headers=headers)
