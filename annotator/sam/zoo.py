"""Which SAM 2 checkpoints exist, where they are, how to fetch one, and how to build the network around it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.errors import ModelUnavailable, NotFound
from annotator.settings import ASSETS_DIR

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all)."""

_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One checkpoint. `config` is sam2's own YAML name, or a file of ours under `assets/`; `sha256` is of the file.

    `automask_points` is the side of the grid of clicks for automatic masks, `automask_iou` and `automask_stability` the
    thresholds they pass: official ones, unless a model needs others; `automask_by_saliency` says if what stands
    out as a thing comes first. Holes and specks of at most `speck_share` of the image (0..1) are removed from its
    masks.
    """

    name: str
    title: str
    config: str
    filename: str
    repository: str = ""
    sha256: str = ""
    size_bytes: int = 0
    automask_points: int = 32
    automask_iou: float = 0.8
    automask_stability: float = 0.95
    automask_by_saliency: bool = False
    speck_share: float = 0.0

    @property
    def bundled(self) -> bool:
        """Shipped with the program, so never downloaded."""
        return not self.repository


def _sam21(name: str, title: str, config: str, stem: str, repo: str, sha256: str, size: int) -> ModelSpec:
    return ModelSpec(
        name, title, f"configs/sam2.1/{config}.yaml", f"{stem}.pt", f"facebook/{repo}", sha256=sha256, size_bytes=size
    )


# Checksums and sizes: the hub's own listing of facebook/sam2.1-hiera-*.
MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        # Its scores are honest and its borders soft: at official thresholds little survives (training/README.md).
        ModelSpec(
            "nano",
            "Nano (bundled)",
            "nano.yaml",
            "nano.pt",
            automask_points=16,
            automask_iou=0.37,
            automask_stability=0.5,
            automask_by_saliency=True,
            speck_share=0.005,
        ),
        _sam21(
            "tiny",
            "SAM 2.1 tiny",
            "sam2.1_hiera_t",
            "sam2.1_hiera_tiny",
            "sam2.1-hiera-tiny",
            "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
            156_008_466,
        ),
        _sam21(
            "small",
            "SAM 2.1 small",
            "sam2.1_hiera_s",
            "sam2.1_hiera_small",
            "sam2.1-hiera-small",
            "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
            184_416_285,
        ),
        _sam21(
            "base_plus",
            "SAM 2.1 base+",
            "sam2.1_hiera_b+",
            "sam2.1_hiera_base_plus",
            "sam2.1-hiera-base-plus",
            "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
            323_606_802,
        ),
        _sam21(
            "large",
            "SAM 2.1 large",
            "sam2.1_hiera_l",
            "sam2.1_hiera_large",
            "sam2.1-hiera-large",
            "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
            898_083_611,
        ),
    )
}


def spec_of(name: str) -> ModelSpec:
    """The spec called `name`. Raises NotFound listing the names there are."""
    try:
        return MODELS[name]
    except KeyError:
        raise NotFound(f"There is no model called {name!r}; choose from {', '.join(MODELS)}.") from None


def checkpoint_path(spec: ModelSpec, models_dir: Path) -> Path:
    """Where the checkpoint of `spec` is, or would be after a download."""
    return (ASSETS_DIR if spec.bundled else models_dir) / spec.filename


def is_present(spec: ModelSpec, models_dir: Path) -> bool:
    """True if the checkpoint file is complete on this machine."""
    return checkpoint_path(spec, models_dir).is_file()


def finest_model(device: str) -> str:
    """The model to prefer to nano: large on CUDA, tiny on a CPU."""
    return "large" if device.startswith("cuda") else "tiny"


def default_model(device: str, models_dir: Path) -> tuple[str, str]:
    """What `auto` means here: (name, why). The finest model when its weights are here; else nano."""
    wanted = finest_model(device)
    if is_present(MODELS[wanted], models_dir):
        return wanted, f"the best choice for {device}, and its weights are here"
    return "nano", f"bundled; the weights of '{wanted}' are not on this machine (annotator models --fetch {wanted})"


def can_be_fetched(spec: ModelSpec) -> bool:
    """True if the hub answers and has the checkpoint. Asks once, and waits some seconds at most."""
    try:
        _ask_hub(spec)
    except Exception:  # the system's, huggingface_hub's and those of its HTTP client
        return False
    return True


def fetch(spec: ModelSpec, models_dir: Path, progress: Progress | None = None) -> Path:
    """The checkpoint's path, after a download if it is not here. A download resumes where the last one broke.

    The file appears under its final name only when complete and its sha256 is right. Of several processes one
    downloads, and the others wait for it. Raises ModelUnavailable.
    """
    path = checkpoint_path(spec, models_dir)
    if path.is_file():
        return path
    if spec.bundled:
        raise ModelUnavailable(f"The bundled checkpoint {path.name} is missing from this installation.")
    from filelock import FileLock  # huggingface_hub brings it

    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if path.is_file():
                return path
            _download(spec, partial, progress)
            if _sha256(partial) != spec.sha256:
                partial.unlink()
                raise ModelUnavailable(f"{spec.filename} arrived damaged (its checksum is wrong); try again.")
            partial.replace(path)
    except ModelUnavailable:
        raise
    except Exception as error:  # the system's, huggingface_hub's and those of its HTTP client
        if isinstance(error, OSError) and error.strerror:
            raise ModelUnavailable(f"{spec.title} cannot be stored in {path.parent} ({error.strerror}).") from None
        reason = str(error).partition("\n")[0].strip(". ") or type(error).__name__
        kept = "; what arrived is kept" if partial.exists() and partial.stat().st_size else ""
        raise ModelUnavailable(f"{spec.title} could not be downloaded ({reason}){kept}.") from None
    return path


def _download(spec: ModelSpec, partial: Path, progress: Progress | None) -> None:
    """Append to `partial` what is missing of the checkpoint; HF_ENDPOINT names a mirror of the hub.

    Uses `http_get`, since `hf_hub_download` deletes what arrived when the connection breaks.
    """
    from huggingface_hub.file_download import http_get

    class Bar:
        """Passes on what `http_get` tells its progress bar."""

        def __init__(self, *, total: int, initial: int, **_: object) -> None:
            self.total, self.done = total, initial

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            self.done += count
            if progress:
                progress(self.done, self.total)

    have = partial.stat().st_size if partial.exists() else 0
    if have > spec.size_bytes:
        have = 0
    if have < spec.size_bytes:  # one quick try first: without a connection http_get would try for a minute
        _ask_hub(spec)
    with partial.open("r+b" if have else "wb") as file:
        file.seek(have)
        http_get(_url(spec), file, resume_size=have, expected_size=spec.size_bytes, tqdm_class=Bar)


def _url(spec: ModelSpec) -> str:
    from huggingface_hub import hf_hub_url

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    return hf_hub_url(spec.repository, spec.filename, endpoint=endpoint)


def _ask_hub(spec: ModelSpec) -> None:
    from huggingface_hub import get_session, hf_raise_for_status

    hf_raise_for_status(get_session().head(_url(spec), timeout=_TIMEOUT_S))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checkpoint_key(spec: ModelSpec, path: Path) -> str:
    """16 hex digits that say which network this is: its weights and, for ours, the architecture beside them.

    Part of every embedding's key and every package's manifest.
    """
    digest = _sha256(path)
    if spec.bundled:
        digest = hashlib.sha256((digest + _sha256(ASSETS_DIR / spec.config)).encode()).hexdigest()
    return digest[:16]


def build(spec: ModelSpec, path: Path | None) -> SAM2Base:
    """Official SAM 2 modules with the weights at `path`: float32, on the CPU, in eval mode.

    Without a path the weights are random, always the same ones, and the caller's random state stays as it is.

    As in `sam2.build_sam.build_sam2`, an unstable single-mask answer falls back to the best multi-mask one.
    Raises ModelUnavailable if the file is not a checkpoint of this model.
    """
    import sam2
    import torch
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    config = OmegaConf.load((ASSETS_DIR if spec.bundled else Path(sam2.__file__).parent) / spec.config)
    fallback = {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    }
    OmegaConf.update(config, "model.sam_mask_decoder_extra_args", fallback, force_add=True)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model: SAM2Base = instantiate(config.model, _recursive_=True)
    if path is not None:
        try:
            model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["model"])
        except Exception as error:  # torch raises many kinds for a damaged file
            words = f"{path} is not a checkpoint of {spec.title}, or is damaged ({str(error)[:120]})."
            remedy = "" if spec.bundled else " If it was downloaded, delete it to have it fetched again."
            raise ModelUnavailable(words + remedy) from None
    return model.eval()
