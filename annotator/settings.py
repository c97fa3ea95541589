"""Where things live and how much they may take. Every field can be set as ANNOTATOR_<FIELD> in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

MIB = 1024 * 1024
_PARSERS: dict[str, Callable[[str], object]] = {
    "Path": lambda text: Path(text).expanduser(),
    "int": int,
    "str": str,
    "bool": lambda text: bool(int(text)),
}
_SOURCE_TREE = Path(__file__).resolve().parent.parent


def _shipped(folder: str) -> Path:
    """`static/` and `assets/` stand beside the package in a checkout and are installed as `annotator_<folder>`."""
    checkout = _SOURCE_TREE / folder
    return checkout if checkout.is_dir() else _SOURCE_TREE / f"annotator_{folder}"


STATIC_DIR = _shipped("static")
ASSETS_DIR = _shipped("assets")


@dataclass(frozen=True)
class Settings:
    """All knobs of one server. Sizes are bytes unless the name says otherwise."""

    data_dir: Path = field(default_factory=lambda: Path("~/.local/share/annotator").expanduser())
    models_dir: Path = field(default_factory=lambda: Path("~/.cache/annotator/models").expanduser())
    database_url: str = ""
    model: str = "auto"
    device: str = "auto"
    dtype: str = "auto"
    """auto, float32, float16, or float8: float16, and the encoder's wide layers in float8, on GPUs that can."""
    compile: bool = True
    max_upload_bytes: int = 128 * MIB
    max_pixels: int = 128_000_000
    embedding_device_bytes: int = 1024 * MIB
    embedding_host_bytes: int = 256 * MIB
    embedding_disk_bytes: int = 8192 * MIB
    max_queue: int = 256
    image_folders: str = ""
    """Folders of this machine, separated as in PATH, whose images every user may add by path."""
    allowed_hosts: str = "127.0.0.1,localhost,::1"
    """Names the server answers to, with commas; '*' for any. Keeps a page that rebinds its own name to us outside."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read ANNOTATOR_* variables over the defaults. Raises ValueError naming a variable that does not parse."""
        values: dict[str, object] = {}
        for each in fields(cls):
            name = f"ANNOTATOR_{each.name.upper()}"
            text = os.environ.get(name)
            if text is None:
                continue
            try:
                values[each.name] = _PARSERS[str(each.type)](text)
            except ValueError:
                raise ValueError(f"{name} should be a whole number, but is {text!r}.") from None
        return cls(**values)  # type: ignore[arg-type]

    @property
    def packages_dir(self) -> Path:
        """Where compiled packages are kept."""
        return self.models_dir / "packages"

    @property
    def store_url(self) -> str:
        """The database: `database_url`, else SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'annotator.db'}"
