"""The layout of the page's modules: imports only go downward, and files stay small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from annotator.types import MAX_NAME

STATIC = Path(__file__).resolve().parent.parent / "static"
# From the top to the bottom; a module may import what stands below it, and what stands beside it in its folder.
FLOORS = ["start.js", "main.js", "embed.js", "workbench.js", "panels", "work", "canvas", "data"]
MODULES = sorted(STATIC.rglob("*.js"))


def floor_of(path: Path) -> int:
    return FLOORS.index(path.relative_to(STATIC).parts[0])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(STATIC)))
def test_modules_of_the_page_import_only_downward(path: Path) -> None:
    text = path.read_text()
    for name in re.findall(r"""\b(?:from|import)\b\s*\(?["']([./].+?)["']""", text):
        target = (path.parent / name).resolve()
        assert target.is_file(), name
        assert floor_of(target) >= floor_of(path), name
    assert len(text.splitlines()) <= 300


def test_fields_for_names_take_as_much_as_the_server() -> None:
    limit = re.compile(r"MAX_NAME = (\d+)|maxlength: \"")
    found = [(path.name, each) for path in MODULES for each in limit.findall(path.read_text())]
    assert found == [("dom.js", str(MAX_NAME))]


@pytest.mark.parametrize("path", sorted((STATIC / "data").glob("*.js")), ids=lambda path: path.name)
def test_the_data_of_the_page_knows_no_dom(path: Path) -> None:
    assert not re.search(r"\b(document|window|HTML\w*Element)\b[.;,)\]]", path.read_text())
