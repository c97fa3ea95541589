"""The rules of the layout: who may import what, and how long importing takes."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "annotator"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FLOORS = [
    ["__main__"],
    ["cli", "gradio"],
    ["api"],
    ["web"],
    ["workspace"],
    ["serving"],
    ["storage"],
    ["formats", "sam"],
    ["masks", "imaging"],
    ["settings"],
    ["types", "errors", "logs", "words"],
]
"""The house from the top floor down. A module may import its own folder and what stands on lower floors."""
OF_GRADIO = ("gradio", "web.page", "web.endpoints")
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """Full names of what a file imports, `if TYPE_CHECKING` blocks left out."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    nodes = tree.body if top_level_only else [node for node in ast.walk(tree) if id(node) not in skipped]
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def ours(path: Path) -> set[str]:
    """The annotator modules that a file imports, without the leading `annotator.`."""
    modules = {module_name(each) for each in SOURCES}
    return {each.removeprefix("annotator.") for each in imports(path) if each.startswith("annotator.")} & modules


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_only_downward(path: Path) -> None:
    if path.name == "__init__.py":
        assert not imports(path) - {"os", "importlib", "importlib.import_module", "typing", "typing.TYPE_CHECKING"}
        return
    room = module_name(path).split(".")[0]
    rooms = {each.split(".")[0] for each in ours(path)}
    assert not {each for each in rooms - {room} if FLOOR[each] <= FLOOR[room]}


def test_no_modules_import_each_other_in_a_circle() -> None:
    order = TopologicalSorter({module_name(path): ours(path) for path in SOURCES})
    order.prepare()  # raises CycleError


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_heavy_libraries_stay_where_they_belong(path: Path) -> None:
    name, used = module_name(path), roots(path)
    if name.split(".")[0] in ("masks", "formats", "types", "errors", "words", "settings", "imaging"):
        assert not used & {"torch", "fastapi", "starlette", "gradio", "sqlalchemy"}
    if name.split(".")[0] in ("masks", "formats", "types", "errors", "words", "imaging"):
        assert "pydantic" not in used
    if name not in (*OF_GRADIO, "web.server"):
        assert "gradio" not in used
    if name not in OF_GRADIO:
        assert "gradio" not in {each.split(".")[0] for each in imports(path, top_level_only=True)}
    assert "torchvision" not in used
    if name not in ("serving.ray_backend", "cli.automask_ray"):
        assert "ray" not in used
    if name != "storage.object_files":
        assert "fsspec" not in used
    assert "fsspec" not in {each.split(".")[0] for each in imports(path, top_level_only=True)}


def test_what_stands_above_the_segmenter_knows_only_its_interface() -> None:
    allowed = {"serving.segmenter"}
    for path in SOURCES:
        if module_name(path).split(".")[0] in ("workspace", "web") and module_name(path) != "web.server":
            behind = {each for each in ours(path) if each.split(".")[0] in ("serving", "sam")}
            assert behind <= allowed, module_name(path)


def test_the_use_cases_load_no_torch() -> None:
    code = "import sys, annotator.workspace.workspace; assert not {'torch', 'fastapi', 'gradio'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_the_program_does_not_need_its_benchmarks_nor_its_training(path: Path) -> None:
    assert not roots(path) & {"benchmarks", "training", "tests"}


def test_importing_the_package_takes_less_than_0_3_s_of_the_processor() -> None:
    code = "import time; start = time.process_time(); import annotator; print(time.process_time() - start)"
    took = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )
    assert took < 0.3


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; from contextlib import suppress; from annotator.cli.main import main\n"
        "with suppress(SystemExit): main(['serve', '--help'])\n"
        "assert not {'torch', 'gradio', 'fastapi', 'huggingface_hub', 'sqlalchemy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_an_installation_holds_every_static_file_and_what_the_program_reads_of_assets() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    static = {path for pattern in patterns["annotator_static"] for path in (ROOT / "static").glob(pattern)}
    assert {path for path in (ROOT / "static").rglob("*") if path.is_file()} <= static
    assets = {path.name for pattern in patterns["annotator_assets"] for path in (ROOT / "assets").glob(pattern)}
    assert {"nano.pt", "nano.yaml", "skimage_chelsea.jpg"} <= assets
