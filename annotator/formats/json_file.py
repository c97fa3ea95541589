"""Reading JSON that strangers wrote, at a bounded cost."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

from annotator.errors import InvalidRequest, NotJson
from annotator.formats.problems import Problem, Problems

MAX_PARSED_BYTES = 1 << 30
"""Most memory that the parsed values may need, as estimated."""

_BYTES = {b",": 32, b"[": 100, b"{": 200}
"""About what a number in a list takes, a short list, and a small dictionary; each begins with, or follows, this."""

_REPEATED_KEY = Problem(
    'An object of the file has the key "{which}" twice; the last one was used.',
    "{count} objects of the file have a key twice ({which}); the last one was used.",
)


def load_json(data: bytes, problems: Problems) -> object:
    """The value of a JSON file. Keys given twice are reported, the last one counts.

    NaN and Infinity are taken, as Python's `json` writes them. Raises `NotJson`, and `InvalidRequest` if the file has
    too many values.
    """
    counts = {sign: data.count(sign) for sign in _BYTES}
    if sum(count * _BYTES[sign] for sign, count in counts.items()) > MAX_PARSED_BYTES:
        raise InvalidRequest(f"The file holds {sum(counts.values()) / 1e6:.0f} million values: split it.")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
            problems.add(_REPEATED_KEY, key)
        return found

    try:
        return json.loads(data, object_pairs_hook=distinct)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno:,}, column {error.colno:,}"
        raise NotJson(f"This file is not JSON. It goes wrong at {place}.") from None
    except UnicodeDecodeError:
        raise NotJson("This file is not JSON. Its text is not UTF-8.") from None
    except RecursionError:
        raise NotJson("This file is not JSON as any tool writes it. Its values are nested too deeply.") from None
    except ValueError:  # Python reads no longer integers
        limit = f"{sys.get_int_max_str_digits():,}"
        raise NotJson(f"This file is not JSON as any tool writes it. It has a number of over {limit} digits.") from None
