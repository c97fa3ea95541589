"""Projects and their labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection, func, insert, select, update

from annotator.errors import Conflict, InvalidRequest, NotFound
from annotator.storage import access, label_rows, project_versions
from annotator.storage.database import Database
from annotator.storage.display_names import clean_name
from annotator.storage.tables import labels, projects
from annotator.types import MAX_NAME, Label, Project, Right

_PROJECT = tuple(projects.c[field] for field in Project.__dataclass_fields__)

_NAMES_LOCK = 0x5A4D5
"""Any number: in PostgreSQL, those who name projects of one owner take turns by it."""


class ProjectStore(Database):
    """The part of the store that knows projects and labels."""

    def create_project(self, name: str, owner: str) -> Project:
        """A new project.

        Raises `InvalidRequest` for a name that `clean_name` refuses, `Conflict` for one that the owner has already.
        """
        values = {"name": clean_name(name, "project"), "owner": owner}
        with self._writing() as connection:
            _refuse_taken(connection, **values)
            return Project(*connection.execute(insert(projects).values(values).returning(*_PROJECT)).one())

    def projects(self, user: str | None = None, removed: bool = False) -> list[Project]:
        """The projects that the user may annotate, or those that the user may restore, oldest first; None for all."""
        query = select(*_PROJECT).where(projects.c.deleted == removed)
        if user is not None:
            query = query.where(access.allowed(projects.c.id, user, "own" if removed else "annotate"))
        with self._reading() as connection:
            return [Project(*row) for row in connection.execute(query.order_by(projects.c.id))]

    def project(self, project_id: int, user: str | None = None, right: Right = "own", removed: bool = False) -> Project:
        """A project. With `removed`, one that was removed.

        If a `user` is given, raises `NotFound` if the user may not see it, `Forbidden` if the user lacks the right.
        """
        query = select(*_PROJECT).where(projects.c.id == project_id, projects.c.deleted == removed)
        with self._reading() as connection:
            return Project(*access.one(connection, query, projects.c.id, user, right, "project"))

    def rename_project(self, project_id: int, name: str) -> Project:
        """Give the project another name. Raises as `create_project` does."""
        name = clean_name(name, "project")
        with self._writing() as connection:
            project = _locked_project(connection, project_id, removed=False)
            if project.name != name:
                _refuse_taken(connection, name, project.owner)
            return _changed(connection, project_id, name=name)

    def remove_project(self, project_id: int) -> Project:
        """Hide a project, with all it has, until it is restored or purged."""
        with self._writing() as connection:
            _locked_project(connection, project_id, removed=False)
            return _changed(connection, project_id, deleted=True)

    def restore_project(self, project_id: int) -> Project:
        """Take `remove_project` back. The name gets a number if the owner has it again."""
        with self._writing() as connection:
            project = _locked_project(connection, project_id, removed=True)
            taken = _names_of(connection, project.owner)
            numbered = (f"{project.name[: MAX_NAME - 6]} {number}" for number in itertools.count(2))
            name = project.name if project.name not in taken else next(each for each in numbered if each not in taken)
            return _changed(connection, project_id, deleted=False, name=name)

    def labels(self, project_id: int) -> list[Label]:
        """The project's labels, oldest first."""
        with self._reading() as connection:
            return label_rows.all_of(connection, project_id)

    def label(self, label_id: int, user: str | None = None, right: Right = "own") -> Label:
        """A label. Raises as `project` does."""
        with self._reading() as connection:
            return label_rows.one(connection, label_id, user, right)

    def add_label(
        self, project_id: int, name: str, color: str | None = None, supercategory: str = "", key: str | None = None
    ) -> Label:
        """A new label, by default in the next free colour of `PALETTE` and with the next free digit, if any.

        A deleted label of the name comes back under its old id. Raises `Conflict` for a name or key in use,
        `InvalidRequest` for malformed fields.
        """
        with self._writing() as connection:
            label_rows.lock_project(connection, project_id)
            label = label_rows.add(connection, project_id, name, color, supercategory, key)
            project_versions.advance(connection, project_id, labels=True)
            return label

    def ensure_label(
        self, project_id: int, name: str, supercategory: str = "", category_id: int | None = None
    ) -> Label:
        """The label of this name, added if there is none. A supercategory that `clean_name` refuses is left out.

        It gets the category id if it has none and no other label has this one. Raises `InvalidRequest` for a name that
        `clean_name` refuses.
        """
        wanted = clean_name(name, "label")
        try:
            supercategory = clean_name(supercategory, "supercategory")
        except InvalidRequest:
            supercategory = ""
        with self._writing() as connection:
            label_rows.lock_project(connection, project_id)
            present = {label.name: label for label in label_rows.all_of(connection, project_id)}
            if category_id in {label.category_id for label in present.values()}:
                category_id = None
            label = present.get(wanted)
            if label is None:
                label = label_rows.add(
                    connection, project_id, wanted, supercategory=supercategory, category_id=category_id
                )
            elif label.category_id is None and category_id is not None:
                label = label_rows.change(connection, replace(label, category_id=category_id))
            else:
                return label
            project_versions.advance(connection, project_id, labels=True)
            return label

    def update_label(self, label: Label) -> Label:
        """Give the label of this id these fields; it stays in its project. Raises as `add_label` does."""
        with self._locked_label(label.id) as (connection, present):
            return label_rows.change(connection, replace(label, project_id=present.project_id))

    def delete_label(self, label_id: int) -> None:
        """Remove a label. Raises `Conflict` if an annotation has it."""
        with self._locked_label(label_id) as (connection, label):
            label_rows.remove(connection, label)

    def label_usage(self, label: Label) -> int:
        """How many annotations have the label; those of deleted images do not count."""
        with self._reading() as connection:
            return label_rows.usage(connection, label)

    def merge_labels(self, label_id: int, into: int) -> Label:
        """Let all annotations with a label count as those of another label of the project; returns that one.

        The merged label disappears, and its name becomes free. Journals do not change. Undo brings an annotation back
        under the label that its old label is merged into at that time. `split_label` reverses the merge.
        """
        with self._locked_label(label_id) as (connection, label):
            target = label_rows.one(connection, into)
            if target.project_id != label.project_id:
                raise NotFound("There is no such label in this project.")
            if target.id == label.id:
                raise InvalidRequest("A label cannot be merged into itself.")
            label_rows.merge(connection, label, target)
            return target

    def split_label(self, label_id: int) -> Label:
        """Take the merging of a label back: it has the annotations it had, except those relabelled since.

        Annotations made after the merging stay with the other label. The label's name has its id added if another
        label took the name meanwhile, and it has no key.
        """
        query = select(labels.c.project_id).where(labels.c.id == label_id)
        with self._writing() as connection:
            project_id = connection.scalar(query)
            if project_id is None:
                raise NotFound("There is no such label.")
            label_rows.lock_project(connection, project_id)
            if label_id not in label_rows.merged_ids(connection, project_id):
                raise Conflict("This label is not merged into another one.")
            label = label_rows.split_off(connection, label_id)
            project_versions.advance(connection, project_id, labels=True)
            return label

    def merged_labels(self, project_id: int) -> list[tuple[Label, int]]:
        """The labels that were merged into others, each with the id of the label its annotations count as now."""
        query = select(*label_rows.COLUMNS).where(labels.c.project_id == project_id, labels.c.merged_into.is_not(None))
        with self._reading() as connection:
            merged = label_rows.merged_ids(connection, project_id)
            found = [Label(*row) for row in connection.execute(query.order_by(labels.c.id))]
            return [(label, merged[label.id]) for label in found if label.id in merged]

    @contextmanager
    def _locked_label(self, label_id: int) -> Iterator[tuple[Connection, Label]]:
        """A transaction that changes labels, and in which nobody else changes those of the label's project."""
        with self._writing() as connection:
            label_rows.lock_project(connection, label_rows.one(connection, label_id).project_id)
            label = label_rows.one(connection, label_id)
            yield connection, label
            project_versions.advance(connection, label.project_id, labels=True)


def _locked_project(connection: Connection, project_id: int, removed: bool) -> Project:
    """The project, which nobody else changes until the transaction ends. Raises `NotFound`."""
    query = select(*_PROJECT).where(projects.c.id == project_id, projects.c.deleted == removed).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such project.")
    return Project(*row)


def _changed(connection: Connection, project_id: int, **values: object) -> Project:
    query = update(projects).where(projects.c.id == project_id).values(values).returning(*_PROJECT)
    project = Project(*connection.execute(query).one())
    project_versions.advance(connection, project_id, project=True)
    return project


def _names_of(connection: Connection, owner: str) -> set[str]:
    """The names of the owner's projects, removed ones left out. Nobody else names one until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_NAMES_LOCK, func.hashtext(owner))))
    return set(connection.scalars(select(projects.c.name).where(projects.c.owner == owner, ~projects.c.deleted)))


def _refuse_taken(connection: Connection, name: str, owner: str) -> None:
    """Raise `Conflict` if the owner has a project of this name."""
    if name in _names_of(connection, owner):
        raise Conflict(f"There is a project {name} already.")
