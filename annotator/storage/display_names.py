"""Names of projects and labels, in any script."""

from __future__ import annotations

import unicodedata

from annotator.errors import InvalidRequest
from annotator.types import MAX_NAME


def clean_name(name: str, thing: str) -> str:
    """The name in Unicode's NFC form, every run of spaces and line breaks of any kind made one space.

    Joiners and direction marks stay: names in Persian or Hindi, and emoji, need them. Raises `InvalidRequest` if the
    name shows nothing, is longer than `MAX_NAME` or has a control character; the message speaks of `thing`.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    kinds = {unicodedata.category(character) for character in name}
    if kinds & {"Cc", "Cs"}:
        raise InvalidRequest(f"The name of a {thing} cannot have control characters.")
    if len(name) > MAX_NAME or kinds <= {"Cf", "Zs"}:
        raise InvalidRequest(f"The name of a {thing} has 1 to {MAX_NAME} characters.")
    return name
