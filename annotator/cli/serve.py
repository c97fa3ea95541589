"""`annotator serve`: the page and the REST routes."""

from __future__ import annotations

import argparse
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from annotator import logs
from annotator.cli.options import add_command
from annotator.errors import AnnotatorError
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.cli.options import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    add_command(subparsers, "serve", run, "Serve the page and the REST routes.", Settings.model_fields)


def run(options: argparse.Namespace, settings: Settings) -> None:
    """Serve until stopped. Raises AnnotatorError if the port cannot be used."""
    from annotator.web.listen import listen
    from annotator.web.server import make_app

    logs.configure(settings.log_format)
    _check_port(settings.host, settings.port)  # before the model loads
    named = ""
    if settings.host not in settings.allowed_hosts and "allowed_hosts" not in settings.model_fields_set:
        names = (*settings.allowed_hosts, settings.host, *_own_names())
        settings = settings.model_copy(update={"allowed_hosts": names})
        named = f"Answering to {', '.join(names)}. ANNOTATOR_ALLOWED_HOSTS can name others."
    app = make_app(settings)
    if named:
        print(named, flush=True)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"Open http://{host}:{settings.port} in a browser. Data is kept in {settings.data_dir}.", flush=True)
    listen(app, settings)


def _own_names() -> list[str]:
    """What other machines may call this one: its name and its address on the network."""
    names = [socket.gethostname().lower(), socket.getfqdn().lower()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # an address for documentation; nothing is sent
        names.append(probe.getsockname()[0])
    return list(dict.fromkeys(names))


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AnnotatorError(f"Port {port} on {host} cannot be used ({error.strerror}).") from None
