"""Routes of files of other tools."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import JSONResponse

from annotator.errors import InvalidRequest
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


@router.get("/projects/{project_id}/export/coco")
def export_coco(project: OwnProject, space: Space, image_id: str | None = None) -> JSONResponse:
    """All kept objects as COCO RLE, as a file to download."""
    headers = {"Content-Disposition": 'attachment; filename="annotations.json"'}
    return JSONResponse(space.exchange.export_coco(project, image_id), headers=headers)
