"""The main jobs as named endpoints of Gradio, for `gradio_client` and, where `gradio[mcp]` is installed, as MCP tools.

Their names, type hints and docstrings are what clients see. Annotations are evaluated at once here: Gradio does not
understand types of results that are given as text.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, NoReturn

import gradio as gr
from fastapi.concurrency import run_in_threadpool
from gradio.events import api
from pydantic import ValidationError

from annotator import types
from annotator.errors import AnnotatorError, InvalidImage, InvalidRequest, ModelUnavailable
from annotator.formats.registry import find_format
from annotator.masks import rle as rles
from annotator.serving.segmenter import ImageSource, JobStatus, caller
from annotator.settings import MIB
from annotator.types import RLE
from annotator.web.auth import current_user
from annotator.web.auth import viewer as viewer_of
from annotator.web.calls import Calls
from annotator.web.schemas.automask import AutomaskRequest
from annotator.web.schemas.masks import Prompts
from annotator.web.schemas.prompts import PromptsRequest
from annotator.workspace.prompt_checks import check_prompt
from annotator.workspace.workspace import Workspace

log = logging.getLogger(__name__)

_AT_A_TIME = 4
"""Calls of one endpoint that run at once; the others wait in Gradio's queue."""

_POLL_SECONDS = 0.05
_MAX_EXPORT_BYTES = 64 * MIB
_DATA_URL = "data:"


class Endpoints:
    """The endpoints on one workspace. They act for the user who calls, as the REST routes do."""

    def __init__(self, workspace: Workspace, calls: Calls) -> None:
        self._space, self._calls = workspace, calls

    def add(self) -> None:
        """Add the endpoints to the surrounding `gr.Blocks`."""
        for endpoint in (self.segment, self.segment_many, self.automask, self.export):
            # Without the queue, an MCP tool is a call in this process and not a request to our own address.
            api(endpoint, queue=False, concurrency_limit=_AT_A_TIME)

    async def segment(
        self,
        image: str,
        request: gr.Request,
        points: list[list[float]] | None = None,
        box: list[float] | None = None,
    ) -> dict[str, Any]:
        """Segment one object of an image by points on it, points beside it, a box around it, or all of these.

        Args:
            image: The id of an image of a project, or a data URL, data:image/jpeg;base64,..., of one that is not kept.
            points: Points [x, y, label] in pixels. The label is 1 for a point on the object, 0 for one beside it.
            box: A box [x0, y0, x1, y1] in pixels around the object.

        Returns:
            The mask as COCO RLE, with its score from 0 to 1, its area in pixels and its box [x, y, width, height].
        """
        async with _one_sentence():
            prompt = Prompts.model_validate({"points": points or [], "box": box}).prompt()
            source = await self._source(image, request)
            check_prompt(prompt, source.height, source.width)
            (found,) = await self._masks(source, [prompt])
            return found

    async def segment_many(
        self, image: str, objects: list[dict[str, Any]], request: gr.Request
    ) -> list[dict[str, Any]]:
        """Segment up to 1024 objects of an image at once.

        Args:
            image: The id of an image of a project, or a data URL, data:image/jpeg;base64,..., of one that is not kept.
            objects: For each object {"points": [[x, y, label], ...], "box": [x0, y0, x1, y1]}, with either or both.

        Returns:
            For each object the mask as COCO RLE, its score, its area in pixels and its box [x, y, width, height].
        """
        async with _one_sentence():
            prompts = [each.prompt() for each in PromptsRequest.model_validate({"objects": objects}).objects]
            return await self._masks(await self._source(image, request), prompts)

    async def automask(
        self, image: str, request: gr.Request, points_per_side: int | None = None
    ) -> list[dict[str, Any]]:
        """Segment everything in an image.

        Args:
            image: The id of an image of a project, or a data URL, data:image/jpeg;base64,..., of one that is not kept.
            points_per_side: Size of the grid of points that are tried, 1 to 64. The model has a default of its own.

        Returns:
            For each object the mask as COCO RLE, its score, its area in pixels and its box [x, y, width, height].
        """
        async with _one_sentence():
            grid = AutomaskRequest(points_per_side=points_per_side).points_per_side
            source = await self._source(image, request)
            job_id = self._space.automask.start(source, points_per_side=grid)
            status = await self._end_of(job_id, getattr(request, "session_hash", None))
            if status.state != "done":
                raise ModelUnavailable(status.error or "The run was cancelled.")
            return await run_in_threadpool(lambda: [_shown(each.mask, each.score) for each in status.proposals])

    async def export(self, request: gr.Request, project: int | None = None, format: str = "coco") -> dict[str, Any]:
        """Write the objects that were kept in a project as a file of up to 64 MiB.

        Args:
            project: The project's number. Without it, the user's first project is taken.
            format: The name of the format.

        Returns:
            The file's name and media type, and what is in it: as text, or as base64 if it is not text.
        """
        async with _one_sentence():
            if not isinstance(format, str):
                raise InvalidRequest("The format should be a name.")
            user, viewer = await _user_of(request)
            return await run_in_threadpool(self._export, user, viewer, project, format)

    async def _masks(self, source: ImageSource, prompts: Sequence[types.Prompt]) -> list[dict[str, Any]]:
        future = await run_in_threadpool(self._space.prompting.prompt_many, source, prompts)
        candidates = await asyncio.wrap_future(future)
        return await run_in_threadpool(lambda: [_shown(each.mask, each.score) for each in candidates])

    async def _source(self, image: str, request: gr.Request) -> ImageSource:
        user, viewer = await _user_of(request)
        caller.set(user)  # Gradio's queue runs the call, outside the request
        if not isinstance(image, str):
            raise InvalidImage("The image should be an id or a data URL.")
        if image.startswith(_DATA_URL):
            return await run_in_threadpool(lambda: self._space.images.unstored_source(_data_of(image)))
        record = await run_in_threadpool(self._space.store.image, image, viewer, "annotate")
        return self._space.images.source(record)

    async def _end_of(self, job_id: str, session: str | None) -> JobStatus:
        """The run's status when it has ended. It is cancelled when the caller has gone."""
        try:
            while (status := self._space.automask.status(job_id)).state == "running":
                await asyncio.sleep(_POLL_SECONDS)
                if self._calls.has_gone(session):
                    self._space.automask.cancel(job_id)
            return status
        except asyncio.CancelledError:  # of an MCP tool's request
            self._space.automask.cancel(job_id)
            raise

    def _export(self, user: str, viewer: str | None, project_id: int | None, format_name: str) -> dict[str, Any]:
        space, kind = self._space, find_format(format_name)
        project = space.home(user) if project_id is None else space.store.project(project_id, viewer, "annotate")
        with SpooledTemporaryFile(_MAX_EXPORT_BYTES) as stream:
            space.exchange.export(project, format_name, stream)
            if stream.tell() > _MAX_EXPORT_BYTES:
                address = f"api/v1/projects/{project.id}/export/{format_name}"
                raise InvalidRequest(f"The file has more than {_MAX_EXPORT_BYTES // MIB} MiB: get it from {address}.")
            stream.seek(0)
            contents = stream.read()
        reply: dict[str, Any] = {"file_name": kind.file_name, "media_type": kind.media_type}
        try:
            return {**reply, "text": contents.decode()}
        except UnicodeDecodeError:
            return {**reply, "base64": base64.b64encode(contents).decode()}


async def _user_of(request: Any) -> tuple[str, str | None]:
    """The user, and for whom projects are looked up, see `auth.viewer`.

    An MCP tool gets the request itself where a queued call gets Gradio's wrapper.
    """
    original = getattr(request, "request", request)
    user = await current_user(original)
    return user, await viewer_of(original, user)


def _data_of(url: str) -> bytes:
    head, _, data = url.partition(",")
    try:
        if not head.endswith(";base64"):
            raise binascii.Error
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise InvalidImage("The data URL should look like data:image/jpeg;base64,...") from None


def _shown(mask: RLE, score: float) -> dict[str, Any]:
    return {"mask": rles.to_dict(mask), "score": score, "area": rles.area(mask), "bbox": list(rles.bbox(mask))}


@asynccontextmanager
async def _one_sentence() -> AsyncIterator[None]:
    """Turn every failure into the one sentence that a client shows."""
    try:
        yield
    except AnnotatorError as error:
        _refuse(str(error))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        _refuse(f"{where}: {first['msg']}.")
    except Exception:
        log.exception("An endpoint failed.")
        _refuse("Something went wrong on the server. Its log has the details.")


def _refuse(sentence: str) -> NoReturn:
    raise gr.Error(sentence, print_exception=False) from None


async def refuse_files(_: object) -> NoReturn:
    """Instead of a file that a call names: Gradio would copy it, or fetch it from its address, before we see it."""
    _refuse("A file was given: an image should be an id or a data URL.")
