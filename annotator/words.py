"""Words for numbers."""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """A count with its noun, given in the singular: "1 object", "3 objects", "1,234 images"."""
    return f"{count:,} {thing if count == 1 else plural(thing)}"


def plural(thing: str) -> str:
    """The plural of a noun that follows the rule: "object" gives "objects", "box" gives "boxes"."""
    return f"{thing}es" if thing.endswith("x") else f"{thing}s"
