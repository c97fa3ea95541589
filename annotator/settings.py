"""Where things live and how much they may take. Every field is a variable, ANNOTATOR_<FIELD>, and an option."""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    IPvAnyNetwork,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from annotator.errors import InvalidSetting

MIB = 1024 * 1024
_SOURCE_TREE = Path(__file__).resolve().parent.parent


def _shipped(folder: str) -> Path:
    """`static/` and `assets/` stand beside the package in a checkout and are installed as `annotator_<folder>`."""
    checkout = _SOURCE_TREE / folder
    return checkout if checkout.is_dir() else _SOURCE_TREE / f"annotator_{folder}"


STATIC_DIR = _shipped("static")
ASSETS_DIR = _shipped("assets")


def _split(separator: str) -> BeforeValidator:
    """Turns a text into a tuple; leaves out empty parts."""

    def split(value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(separator) if part.strip())

    return BeforeValidator(split)


def _check_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError("it should be auto, cpu, cuda or cuda:N")
    return name


def _check_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
        raise ValueError("it should look like https://example.org/labels")
    return url.rstrip("/")


def _check_store(url: str) -> str:
    if url and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s*?\[]+", url):
        raise ValueError("it should look like s3://bucket/folder or file:///mnt/folder")
    return url


def _resolve(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"{path} should be an absolute path")
    return path.resolve()


def _check_network(text: str) -> str:
    return str(ip_network(text))


_Path = Annotated[Path, AfterValidator(Path.expanduser)]
_Folder = Annotated[_Path, AfterValidator(_resolve)]
_Host = Annotated[str, StringConstraints(to_lower=True)]
_Network = Annotated[str, AfterValidator(_check_network)]


class Settings(BaseSettings):
    """All settings of one process. `Settings(...)` takes what is not given from the environment.

    Sizes in bytes may be written with a unit, such as 512MiB. A leading ~ in a path is the home folder.
    """

    model_config = SettingsConfigDict(
        env_prefix="ANNOTATOR_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every network of this machine."""
    port: Annotated[int, Field(ge=0, le=65535)] = 7860
    """Port to listen on."""
    data_dir: _Path = Path("~/.local/share/annotator").expanduser()
    """Folder for images, masks and embeddings."""
    models_dir: _Path = Path("~/.cache/annotator/models").expanduser()
    """Folder for downloaded checkpoints and compiled packages."""
    database_url: str = ""
    """SQLAlchemy URL of the database; SQLite in the data folder if empty."""
    image_store: Annotated[str, AfterValidator(_check_store)] = ""
    """Where images are kept, as a URL such as s3://bucket/folder or file:///mnt/folder; "" is the data folder."""
    model: str = "auto"
    """auto, nano, tiny, small, base_plus or large."""
    device: Annotated[str, AfterValidator(_check_device)] = "auto"
    """auto, cpu, cuda or cuda:N."""
    dtype: Literal["auto", "float32", "float16", "float8"] = "auto"
    """auto is float16 on CUDA, else float32; float8 is float16 with the encoder's wide layers in float8."""
    backend: Literal["local", "ray"] = "local"
    """local: the model in this process. ray: in replicas, processes on one or more machines."""
    replicas: NonNegativeInt = 0
    """Processes of Ray that hold a model each; 0 for one on each GPU, or one where there is none."""
    replica_timeout: PositiveFloat = 10
    """Seconds to wait for a replica before another one is asked: more than 3, and encoding an image besides."""
    compile: bool = True
    """Compile the model in the background on the first start."""
    max_upload_bytes: ByteSize = ByteSize(128 * MIB)
    """Largest image file."""
    max_pixels: PositiveInt = 128_000_000
    """Largest image in pixels."""
    max_user_images: PositiveInt = 100_000
    """Most images in the projects of one user who is no admin."""
    max_user_bytes: ByteSize = ByteSize(100 * 1024 * MIB)
    """Most bytes of those images."""
    embedding_device_bytes: ByteSize = ByteSize(1024 * MIB)
    """Device memory for embeddings."""
    embedding_host_bytes: ByteSize = ByteSize(256 * MIB)
    """Main memory for embeddings."""
    embedding_disk_bytes: ByteSize = ByteSize(8192 * MIB)
    """Disk space for embeddings."""
    max_queue: PositiveInt = 256
    """Tasks that may wait for the model."""
    image_folders: Annotated[tuple[_Folder, ...], NoDecode, _split(os.pathsep)] = ()
    """Folders of this machine whose images users may add, separated as in PATH; {user} is the name of each user."""
    allowed_hosts: Annotated[tuple[_Host, ...], NoDecode, _split(",")] = ("127.0.0.1", "localhost", "::1")
    """Host names this server answers to, separated by commas; * for any. Keeps out pages that rebind their own name."""

    public_url: Annotated[str, AfterValidator(_check_url)] = ""
    """Address of the page behind a proxy, such as https://example.org/labels; "" where there is none."""
    metrics_from: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, _split(",")] = (
        ip_network("127.0.0.0/8"),
        ip_network("::1"),
    )
    """Networks that may read /metrics, separated by commas. What comes through a proxy never may."""
    log_format: Literal["text", "json"] = "text"
    """text, or json: one object a line, with a line for each request."""

    insecure_no_login: bool = False
    """Serve a network without a login: whoever reaches the port can see and change everything."""
    proxy_user_header: str = ""
    """Header in which a proxy names the user whom it has logged in, such as X-Forwarded-User; "" for none."""
    trusted_proxies: Annotated[tuple[_Network, ...], NoDecode, _split(",")] = ("127.0.0.1/32", "::1/128")
    """Addresses or networks of the proxies whose header counts, separated by commas."""

    @classmethod
    def from_environment(cls, **options: object) -> Settings:
        """The settings in the environment, `options` first. Raises InvalidSetting naming the variable or option."""
        try:
            return cls(**options)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            name = f"--{field.replace('_', '-')}" if field in options else f"ANNOTATOR_{field.upper()}"
            reason = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
            raise InvalidSetting(f"{name} is {str(first['input'])!r}: {reason}.") from None

    @property
    def packages_dir(self) -> Path:
        """Where compiled packages are kept."""
        return self.models_dir / "packages"

    @property
    def store_url(self) -> str:
        """The database: `database_url`, else SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'annotator.db'}"
