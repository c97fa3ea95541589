"""The pages of docs/ say what is true: their code runs, in order, in a folder with the sample photos."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
from pycocotools.coco import COCO

from annotator.cli import automask, prompted
from annotator.cli.main import main
from annotator.sam.predictor import Predictor
from tests.conftest import ROOT

DOCS = ROOT / "docs"


class Block(NamedTuple):
    language: str
    file: str | None
    text: str


def blocks(page: str) -> list[Block]:
    """The code blocks of a page; ```json file=NAME is a file that later blocks use."""
    found = re.findall(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return [Block(language, file or None, text) for language, file, text in found]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(page: str, url: str = "") -> None:
    names: dict[str, object] = {}
    for block in blocks(page):
        assert block.language == "python"
        exec(compile(block.text.replace("http://127.0.0.1:7860", url), page, "exec"), names)


def test_the_python_page() -> None:
    run_python("python.md")


def test_the_python_lines_of_the_readme() -> None:
    run_python("../README.md")


def test_the_rest_page(server_url: str) -> None:
    run_python("rest.md", server_url)


def test_the_command_line_page(folder: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (prompted, automask):  # the bundled model is loaded already
        monkeypatch.setattr(module, "load_predictor", lambda settings: predictor)
    for block in blocks("command-line.md"):
        if block.file:
            (folder / block.file).write_text(block.text)
            continue
        assert block.language == "bash"
        for line in block.text.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "annotator"
            assert main(arguments) == 0, line
    counts = {path.stem: len(COCO(str(path)).anns) for path in folder.glob("*.json") if path.stem != "prompts"}
    assert counts.pop("everything") > 0
    assert counts == {"cups": 2, "cup": 1, "masks": 3, "masks-of-csv": 2, "boxes": 2}


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
