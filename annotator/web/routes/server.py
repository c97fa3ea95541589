"""Routes of the server itself and its models."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from annotator import __version__
from annotator.types import LOCAL_USER
from annotator.web.auth import User, Viewer, refuse_others_than_admins
from annotator.web.deps import Space
from annotator.web.schemas.server import Model, ModelChoice, Status, SwitchModel

router = APIRouter(tags=["server"])


@router.get("/status")
def status(user: User, viewer: Viewer, space: Space) -> Status:
    """What model serves and why, what others there are, and the user's first project."""
    info = space.segmenter.info()
    return Status(
        version=__version__,
        model=Model.model_validate(info),
        models=[ModelChoice.model_validate(each) for each in info.choices],
        image_folders=[str(each) for each in space.images.folders_of(user)],
        project_id=space.home(user).id,
        user=None if user == LOCAL_USER else user,
        is_admin=viewer in (None, LOCAL_USER),
    )


@router.put("/model", status_code=202, dependencies=[Depends(refuse_others_than_admins)])
def switch_model(choice: SwitchModel, user: User, viewer: Viewer, space: Space) -> Status:
    """Start to serve another model, downloading it first if needed. Progress, and failure, are in /status."""
    space.segmenter.switch(choice.name)
    return status(user, viewer, space)
