"""The counts of a project, on real SQLite and real PostgreSQL, and who may be added to it by the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from journal_writer import keep

from annotator.cli.main import main
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import LOCAL_USER, Account, Change, Contribution, ImageRecord, Member, ProjectSummary

pytest_plugins = ["postgres"]


def test_a_project_counts_its_images_its_objects_and_what_each_person_made(store: Store) -> None:
    project, other = store.create_project("birds", "ann"), store.create_project("fish", "ann")
    assert store.summary(project.id) == ProjectSummary({}, {}, [])
    for name, place in (("i", project), ("j", project), ("gone", project), ("elsewhere", other)):
        store.add_image(ImageRecord(name, place.id, f"{name}.jpg", "sha", "pixels", 40, 30))
    wing, beak = (store.add_label(project.id, name) for name in ("wing", "beak"))
    fin = store.add_label(other.id, "fin")
    store.commit("i", "keep", [keep("i", "a", wing.id), keep("i", "b", beak.id)], None, "ann")
    store.commit("j", "keep", [keep("j", "c", wing.id)], None, "bob")
    store.commit("gone", "keep", [keep("gone", "d", wing.id)], None, "bob")
    store.commit("elsewhere", "keep", [keep("elsewhere", "e", fin.id)], None, "eve")
    before = store.annotation("i", "b")
    store.commit("i", "relabel", [Change(before, replace(before, label_id=wing.id))], None, "bob")
    store.commit("j", "keep", [keep("j", "f", wing.id)], None, LOCAL_USER)
    store.commit("j", "keep", [keep("j", "g", wing.id)], None, "ann")
    store.undo("j")
    store.delete_image("gone")
    store.set_status("j", "done")
    assert store.summary(project.id) == ProjectSummary(
        {"in_progress": 1, "done": 1},
        {wing.id: 4},
        [Contribution("ann", 2, 1), Contribution(None, 1, 1), Contribution("bob", 1, 2)],
    )
    store.merge_labels(wing.id, beak.id)
    assert store.summary(project.id).objects == {beak.id: 4}


def test_a_project_is_shared_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(data_dir=tmp_path)
    store = Store(settings.store_url)
    project = store.create_project("birds", "ann")
    store.save_user(Account("bob"))
    command = ["users", "share", "birds", "Bob", "--data-dir", str(tmp_path)]
    assert main([*command, "--role", "reviewer"]) == 0
    assert capsys.readouterr().out == "bob is a reviewer of birds.\n"
    assert store.members(project.id) == [Member("bob", "reviewer")]
    assert main(command) == 0
    assert store.members(project.id) == [Member("bob", "annotator")]
    assert main([*command, "--revoke"]) == 0
    assert store.members(project.id) == []
    assert main([*command[:3], "nobody", *command[4:]]) == 2
    assert "There is no user 'nobody'." in capsys.readouterr().err
    store.close()
