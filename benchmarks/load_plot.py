"""Draw what `benchmarks.load --out` wrote: `python -m benchmarks.load_plot` makes load.svg of results/load/*.json.

A row for each kind of request of a scenario, milliseconds on a logarithmic scale: a bar from p50 to p99, p95 on it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
_LEFT, _WIDTH, _ROW = 190, 460, 20
_DECADES = (1, 10, 100, 1000, 10_000, 100_000)
_STYLE = """text{font:12px sans-serif;fill:#777}.t{font-weight:bold}line{stroke:#777;stroke-opacity:.3}
rect{fill:#5b8def}path{stroke:#c9793b;stroke-width:3}"""


def rows_of(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Each part of a scenario's result: its name, and the percentiles of each kind of request."""
    scenario = record["options"]["scenario"]
    if "kinds" in record:
        counts = {"people": "people", "automask": "auto-mask", "uploads": "upload"} if scenario == "people" else {}
        yield (
            ", ".join([scenario, *(f"{record['options'][key]} {word}" for key, word in counts.items())]),
            record["kinds"],
        )
    for part, figures in record.items():
        if isinstance(figures, dict) and "kinds" in figures:
            yield f"{scenario}, {part}", figures["kinds"]


def plot(records: list[dict[str, Any]]) -> str:
    """The SVG."""

    def across(ms: float) -> float:
        return _LEFT + _WIDTH * math.log10(max(ms, 1)) / math.log10(_DECADES[-1])

    shapes, y = [], 20
    for record in records:
        for name, kinds in rows_of(record):
            shapes.append(f'<text x="10" y="{y + 12}" class="t">{name}</text>')
            y += _ROW
            for kind, found in kinds.items():
                p50, p95, p99 = (across(found[each]) for each in ("p50", "p95", "p99"))
                figures = " / ".join(f"{found[each]:.0f}" for each in ("p50", "p95", "p99"))
                shapes += [
                    f'<text x="20" y="{y + 12}">{kind}</text>',
                    f'<rect x="{p50:.0f}" y="{y + 3}" width="{max(p99 - p50, 2):.0f}" height="10"/>',
                    f'<path d="M{p95:.0f} {y + 1}v14"/>',
                    f'<text x="{p99 + 6:.0f}" y="{y + 12}">{figures} (n {found["n"]})</text>',
                ]
                y += _ROW
            y += 10
    grid = [
        f'<line x1="{across(each):.0f}" x2="{across(each):.0f}" y1="16" y2="{y}"/>'
        f'<text x="{across(each):.0f}" y="12">{each} ms</text>'
        for each in _DECADES
    ]
    body = "".join([*grid, *shapes])
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 {y}"><style>{_STYLE}</style>{body}</svg>\n'


def main() -> None:
    """Write load.svg."""
    records = [json.loads(path.read_text()) for path in sorted((ROOT / "results" / "load").glob("*.json"))]
    (ROOT / "load.svg").write_text(plot(records))


if __name__ == "__main__":
    main()
