"""Ahead-of-time compiled packages of the encoder and the decoder: made once, loaded in milliseconds.

`torch.export` traces the graphs with dynamic batch, prompt and point counts; AOTInductor compiles each to one file.
A manifest beside them says exactly what they were made of. Only an exact match is used, because packages do not
validate their inputs. Loading needs neither sam2 nor hydra nor a compiler.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from annotator.errors import ModelUnavailable
from annotator.sam import float8
from annotator.sam.graphs import STRIDE, ImageEncoder, MaskDecoder
from annotator.sam.predictor import FLOAT8, MAX_IMAGES, MAX_PROMPTS, Graphs, Predictor
from annotator.sam.shared_library import SharedLibrary
from annotator.types import MAX_POINTS

log = logging.getLogger(__name__)

FORMAT_VERSION = 2
_MANIFEST = "manifest.json"
_NAMES = ("encoder", "decoder", "shared")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What packages were made of, and for. They are used only where every field is equal."""

    format: int
    model: str
    checkpoint: str
    torch: str
    device: str
    dtype: str
    options: str


def device_key(device: torch.device) -> str:
    """The instruction set packages are compiled for: GPU name and capability, or CPU architecture and its flags."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"{torch.cuda.get_device_name(device)} sm_{major}{minor}"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next(line.split(":")[1] for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    digest = hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()[:12]
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {digest}"


def _options(device: torch.device) -> dict[str, Any]:
    """Inductor's options for these packages only; nothing global is changed."""
    # On a CPU, freezing packs the weights for the matrix library: the encoder is 15 % faster than without.
    return {"freezing": True, "cpp.dynamic_threads": True} if device.type == "cpu" else {}


def manifest_of(model: str, checkpoint: str, device: torch.device, dtype: torch.dtype) -> Manifest:
    """What packages made here and now would say."""
    options = json.dumps(_options(device) | (float8.recipe() if dtype == FLOAT8 else {}), sort_keys=True)
    return Manifest(FORMAT_VERSION, model, checkpoint, torch.__version__, device_key(device), str(dtype), options)


def package_folder(packages_dir: Path, model: str, device: torch.device, dtype: torch.dtype) -> Path:
    """Where the packages of a model are kept."""
    return packages_dir / f"{model}-{device.type}-{str(dtype).removeprefix('torch.')}"


def compile_packages(predictor: Predictor, packages_dir: Path) -> Path:
    """Compile an eager predictor's graphs; returns the folder, which appears only when complete.

    Takes one to three minutes and needs a C++ compiler. Raises ModelUnavailable if compilation fails.
    """
    folder = package_folder(packages_dir, predictor.model, predictor.device, predictor.dtype)
    packages_dir.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=packages_dir, prefix=f".{folder.name}-"))
    try:
        for name, program in _programs(predictor):
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(work / f"{name}.pt2"), inductor_configs=_options(predictor.device)
            )
        manifest = manifest_of(predictor.model, predictor.key, predictor.device, predictor.dtype)
        content = {**asdict(manifest), "image_size": predictor.image_size}
        (work / _MANIFEST).write_text(json.dumps(content, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)
    except Exception as error:
        log.error("%s could not be compiled.", predictor.model, exc_info=error)
        raise ModelUnavailable(f"{predictor.model} could not be compiled ({_gist(error)}).") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _gist(error: Exception) -> str:
    """The line of a compiler's message that says what is wrong: the first with "error", else its last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line for line in lines if "error:" in line.lower()), lines[-1])[:300]


def _programs(predictor: Predictor) -> Iterator[tuple[str, torch.export.ExportedProgram]]:
    """The three graphs with their dynamic dimensions. A dimension of 1 in an example would stay 1 for ever."""
    graphs, device, dtype = predictor.graphs, predictor.device, predictor.tensor_dtype
    encoder, decoder, shared = graphs.encoder, graphs.decoder, graphs.shared
    assert isinstance(encoder, ImageEncoder)
    assert isinstance(decoder, MaskDecoder)
    assert isinstance(shared, MaskDecoder)
    size = predictor.image_size
    cells = size // STRIDE

    def features(images: int) -> tuple[Tensor, Tensor, Tensor]:
        e, s0, s1 = (torch.zeros(images, c, cells, cells, device=device, dtype=dtype) for c in (256, 512, 256))
        return e, s0, s1

    images = Dim("images", min=1, max=MAX_IMAGES)
    prompts = Dim("prompts", min=1, max=MAX_PROMPTS)
    points = Dim("points", min=1, max=MAX_POINTS)
    coords = torch.zeros(4, 3, 2, device=device)
    labels = torch.ones(4, 3, dtype=torch.int64, device=device)
    index = torch.zeros(4, dtype=torch.int64, device=device)
    masks = torch.zeros(4, 1, 4 * cells, 4 * cells, device=device)
    has_mask = torch.ones(4, dtype=torch.bool, device=device)
    per_prompt = [{0: prompts, 1: points}, {0: prompts, 1: points}]
    pixels = torch.zeros(2, 3, size, size, device=device, dtype=dtype)
    several = (*features(2), coords, labels, index, masks, has_mask)
    shapes = (*({0: images},) * 3, *per_prompt, *({0: prompts},) * 3)
    export = torch.no_grad()(torch.export.export)
    yield "encoder", export(encoder, (pixels,), dynamic_shapes=({0: images},))
    yield "decoder", export(decoder, several, dynamic_shapes=shapes)
    yield "shared", export(shared, (*features(1), coords, labels), dynamic_shapes=(None, None, None, *per_prompt))


def load_packages(
    packages_dir: Path, model: str, checkpoint: str, device: torch.device, dtype: torch.dtype
) -> Predictor:
    """A predictor that runs the packages. Raises ModelUnavailable with one line saying what differs or is missing."""
    folder = package_folder(packages_dir, model, device, dtype)
    wanted = asdict(manifest_of(model, checkpoint, device, dtype))
    try:
        found = json.loads((folder / _MANIFEST).read_text())
    except (OSError, ValueError):
        raise ModelUnavailable(f"There are no packages for {model} in {packages_dir}.") from None
    for name, value in wanted.items():
        if found.get(name) != value:
            raise ModelUnavailable(f"The packages for {model} were made for {name} {found.get(name)}, not {value}.")
    try:
        encoder, decoder, shared = (_Package(folder / f"{name}.pt2", device) for name in _NAMES)
    except RuntimeError as error:
        raise ModelUnavailable(f"The packages for {model} cannot be loaded ({str(error)[:120]}).") from None
    return Predictor(
        model, checkpoint, Graphs(encoder, decoder, shared), int(found["image_size"]), device, dtype, "packaged"
    )


class _Package:
    """One package as a callable of tensors."""

    def __init__(self, path: Path, device: torch.device) -> None:
        # Not `torch.get_num_threads()`: it is 1 for threads that begin while a click is decoded.
        self._call = _on_cuda(path, device) if device.type == "cuda" else SharedLibrary(path, os.cpu_count() or 1)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        # A package reads memory as contiguous, whatever the strides say.
        return tuple(self._call([each.contiguous() for each in inputs]))


def _on_cuda(path: Path, device: torch.device) -> Callable[[list[Tensor]], Sequence[Tensor]]:
    # torch's own `aoti_load_package` first probes the CPU with a C++ compiler, for seconds; this does not.
    # What lets several threads share a package cannot be captured in a CUDA graph (pytorch#148601).
    single_threaded, index = True, -1 if device.index is None else device.index
    run: Callable[[list[Tensor]], Sequence[Tensor]]
    run = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", single_threaded, 1, index).boxed_run
    return run
