"""Names in any script are taken; what cannot be shown is refused in a sentence."""

from __future__ import annotations

import unicodedata

import pytest

from annotator.errors import InvalidRequest
from annotator.storage.display_names import clean_name
from annotator.types import MAX_NAME


@pytest.mark.parametrize("space", ["\u00a0", "\n", "\r\n", "\t", "\u3000", "\u2028", "\u202f", "  ", " \u2009 \v"])
def test_spaces_and_line_breaks_of_any_kind_become_one_space(space: str) -> None:
    assert clean_name(f"{space}traffic{space}light{space}", "label") == "traffic light"


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family, held together by joiners
        "\u0915\u094d\u200d\u0937",  # Hindi, with a joiner
        "\u05d0\u05d1 (A)\u200f",  # Hebrew, with a right-to-left mark
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # a flag, spelt in tags
        "\u0e23\u0e16\u200b\u0e22\u0e19\u0e15\u0e4c",  # Thai, with a place for a line break
    ],
)
def test_joiners_and_direction_marks_stay(name: str) -> None:
    assert clean_name(name, "label") == name


def test_composed_and_decomposed_letters_are_one_name() -> None:
    composed = "\u00c9l\u00e9phant"
    assert clean_name(unicodedata.normalize("NFD", composed), "label") == composed


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x80", "\ud800"])
def test_control_characters_are_refused(character: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^The name of a project cannot have control characters\.$"):
        clean_name(f"a{character}b", "project")


@pytest.mark.parametrize("name", ["", "   ", "\n\u00a0", "\u200d", "\u200b \u200f", "\ufeff"])
def test_a_name_that_shows_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"1 to {MAX_NAME} characters"):
        clean_name(name, "label")


def test_a_name_may_be_as_long_as_the_limit() -> None:
    assert clean_name("\u00e9" * MAX_NAME, "label") == "\u00e9" * MAX_NAME
    assert clean_name("e\u0301" * MAX_NAME, "label") == "\u00e9" * MAX_NAME
    with pytest.raises(InvalidRequest):
        clean_name("x" * (MAX_NAME + 1), "label")
