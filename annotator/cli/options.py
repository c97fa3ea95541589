"""Options that several commands share. Every field of `Settings` can be one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from pydantic import ByteSize

from annotator.settings import Settings

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DEVICE = ("device", "dtype")
MODEL = ("model", *DEVICE)

_PREFIX = "setting_"


def add_command(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace, Settings], None],
    text: str,
    settings: Iterable[str] = (),
) -> argparse.ArgumentParser:
    """A parser for the command `name`, with an option for each of these settings. `run` does the command."""
    parser = subparsers.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    for field in settings:
        _add_setting(parser, field)
    return parser


def given_settings(options: argparse.Namespace) -> dict[str, object]:
    """The settings among the parsed options, without those that were not given."""
    return {
        name.removeprefix(_PREFIX): value
        for name, value in vars(options).items()
        if name.startswith(_PREFIX) and value is not None
    }


def _add_setting(parser: argparse.ArgumentParser, field: str) -> None:
    """An option --FIELD. Its text is parsed by `Settings`, as a variable's would be."""
    info = Settings.model_fields[field]
    flag, dest = f"--{field.replace('_', '-')}", _PREFIX + field
    default = _text(info.default)
    help_text = f"{info.description} Default: {default}." if default else info.description
    if info.annotation is bool:
        parser.add_argument(flag, dest=dest, action=argparse.BooleanOptionalAction, help=help_text)
    elif get_origin(info.annotation) is Literal:
        parser.add_argument(flag, dest=dest, choices=get_args(info.annotation), help=help_text)
    else:
        parser.add_argument(flag, dest=dest, metavar=field.split("_")[-1].upper(), help=help_text)


def _text(default: object) -> str:
    if isinstance(default, ByteSize):
        return default.human_readable()
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
