"""Projects, images, labels, annotations, their journal and users in a SQL database: SQLite in a file, or PostgreSQL.

Every method is one transaction and may be called from any thread; several processes may share one database. A change of
labels locks the project's row. A change of annotations locks the image's row, and the project's against changes of its
labels. Both then advance the project's version. Every method raises `NotFound` for ids that do not exist,
`InvalidRequest` for values that no database can store, and `DatabaseUnavailable` or `StorageFull` when the database or
the disk fails; then nothing is half-written.
"""

from __future__ import annotations

from annotator.storage.annotation_store import AnnotationStore
from annotator.storage.image_store import ImageStore
from annotator.storage.place_store import PlaceStore
from annotator.storage.project_store import ProjectStore
from annotator.storage.summary_store import SummaryStore
from annotator.storage.user_store import UserStore
from annotator.storage.version_store import VersionStore


class Store(ProjectStore, ImageStore, AnnotationStore, UserStore, PlaceStore, VersionStore, SummaryStore):
    """The database behind one URL: `sqlite:///FILE` or `postgresql+psycopg://...`; created or migrated as needed."""
