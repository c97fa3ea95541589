"""CONTRIBUTING.md against the real tree, and what it tells to run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def tracked() -> set[str]:
    """All files of the project, and those that are about to be added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())


def tree() -> dict[str, str]:
    """The annotated tree: path (folders end with a slash) -> what is said about it."""
    block = next(each for each in TEXT.split("```") if "app.py  " in each)
    found: dict[str, str] = {}
    parents: list[str] = []
    for line in block.strip().splitlines():
        indent, name, text = re.fullmatch(r"( *)(\S+) *(.*)", line).groups()  # type: ignore[union-attr]
        parents = [*parents[: len(indent) // 2], name]
        found["".join(parents)] = text
    return found


def test_the_tree_names_every_folder_of_code_and_nothing_that_is_not_there() -> None:
    folders = {f"{parent}/" for file in tracked() for parent in map(str, Path(file).parents) if parent != "."}
    named = {path for path in tree() if path.endswith("/")}
    assert named <= folders
    expected = {
        path
        for path in folders
        if path.count("/") == 1 or (path.startswith(("annotator/", "static/", "tests/")) and path.count("/") <= 3)
    }
    hidden_or_inside = {path for path in expected if path.startswith(".") or path.endswith("migrations/versions/")}
    assert expected - hidden_or_inside == named
    assert {path for path in tree() if not path.endswith("/")} <= tracked()


def test_the_tree_says_something_about_every_part() -> None:
    assert not [path for path, text in tree().items() if not text and path != "annotator/"]


def test_the_tree_shows_the_floors_in_their_order() -> None:
    from tests.test_architecture import FLOOR

    rooms = [path.split("/")[1] for path in tree() if re.fullmatch(r"annotator/\w+/", path)]
    assert [FLOOR[room] for room in rooms] == sorted(FLOOR[room] for room in rooms)


def test_files_that_are_named_are_there() -> None:
    files = tracked()
    for name in re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|js|md|ts))`", TEXT):
        if "NAME" not in name:
            assert any(file == name or file.endswith(f"/{name}") for file in files), name


def make(*arguments: str) -> str:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_make_help_tells_of_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    said = make("help")
    assert {line.split()[0] for line in said.splitlines() if line.startswith("  ")} == set(phony.split()) - {"system"}


@pytest.mark.parametrize("hook", ["ruff check", "ruff format", "mypy"])
def test_the_hooks_before_a_commit_run_what_make_lint_runs(hook: str) -> None:
    config = (ROOT / ".pre-commit-config.yaml").read_text()
    assert f"entry: .venv/bin/{hook}" in config
    assert f".venv/bin/{hook}" in make("--dry-run", "--always-make", "lint")


def test_no_two_files_of_tests_have_one_name() -> None:
    names = [Path(file).name for file in tracked() if re.fullmatch(r"tests/.*/?test_\w+\.py", file)]
    assert len(names) == len(set(names)), "pytest imports them by their names"
