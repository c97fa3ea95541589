"""One data folder, one database, one model: the use cases and what they share.

Callers have checked that a record belongs to their user: the functions take records, not ids.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress

from annotator.errors import Busy, Conflict
from annotator.serving.segmenter import Segmenter
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import LOCAL_USER, Document, ImageRecord, Project
from annotator.workspace.accounts import Accounts
from annotator.workspace.annotations import Annotations
from annotator.workspace.automask import Automask
from annotator.workspace.boxes import Boxes
from annotator.workspace.exchange import Exchange
from annotator.workspace.exports import Exports
from annotator.workspace.images import Images
from annotator.workspace.prompting import Prompting
from annotator.workspace.similar import Similar
from annotator.workspace.suggestions import Suggestions

_MAX_UPCOMING = 4


class Workspace:
    """Holds the use cases. Each of them is a class of its own."""

    def __init__(self, settings: Settings, store: Store, segmenter: Segmenter) -> None:
        self.settings, self.store, self.segmenter = settings, store, segmenter
        self.images = Images(settings, store)
        self.annotations = Annotations(store)
        self.prompting = Prompting(segmenter, self.images)
        self.automask = Automask(segmenter, store)
        self.similar = Similar(segmenter, store, self.images)
        self.suggestions = Suggestions(segmenter, store, self.images)
        self.exchange = Exchange(store, self.images.files)
        self.exports = Exports(self.exchange, settings.data_dir)
        self.boxes = Boxes(store)
        self.accounts = Accounts(store)
        self._lock = threading.Lock()

    def home(self, owner: str) -> Project:
        """The owner's first project, or one that is shared with the owner.

        If there is none, as on the first visit, it is made with one label to start with. Raises Conflict if the server
        was started without a login, and has users by now: they have all projects.
        """
        with self._lock:
            projects = self.store.projects(owner)
            if projects:
                return next((each for each in projects if each.owner == owner), projects[0])
            if owner == LOCAL_USER and self.store.users():
                raise Conflict("This server has users since it was started. Start it again, then log in.")
            project = self.store.create_project("My images", owner)
            self.store.add_label(project.id, "object")
            return project

    def document(self, record: ImageRecord) -> Document:
        """The image as stored now."""
        return self.store.document(record.id)

    def open(self, record: ImageRecord, upcoming: Sequence[ImageRecord] = ()) -> Document:
        """The document. The image is encoded in the background if it has to be, then the `upcoming` ones."""
        with suppress(Busy):  # the first click encodes as well
            sources = [self.images.source(each) for each in upcoming[:_MAX_UPCOMING]]
            self.segmenter.encode(self.images.source(record), sources, group=str(record.project_id))
        return self.document(record)
