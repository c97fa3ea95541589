"""From result files to `benchmarks/README.md` and a plot: generated, never edited by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results"
_BEGIN, _END = "<!-- benchmark -->", "<!-- /benchmark -->"
TASKS = ("CLICK", "SPS", "MPS", "AMG")
_COLORS = {
    "official": "#8a8f98",
    "autocast": "#b9bec6",
    "reference": "#c9793b",
    "reference-compiled": "#e0a571",
    "eager": "#5b8def",
    "packaged": "#1f9d72",
}

_PREFACE = """# Benchmarks

The tables below are generated from `benchmarks/results/*.json`, which `python -m benchmarks` writes. Each is one run on
one machine, on the same weights, inputs and cores, interleaved input by input:

- *official*: sam2 1.1.0 in float32. *autocast*: the same under bfloat16 autocast and TF32, as Meta's demo runs it on
  a GPU.
- *reference*: torchao's code for fast SAM 2 (float16, TF32, preprocessing on the device), where it runs: on a GPU.
- *eager* and *packaged*: ours, without and with ahead-of-time compilation. A GPU replays single clicks as CUDA graphs.

Times are milliseconds from JPEG bytes in memory to RLE dictionaries; CLICK starts from the cached embedding. *Faster*
is the median of the ratios official / this of the same input. *x floor* is p50 over the least time this GPU needs for
the network's own arithmetic and memory traffic (`benchmarks/floor.py`). *MiB* is the peak of one run beyond what was
held before it, such as the weights: device memory on a GPU, resident memory of the process on a CPU. Accuracy is
against official float32: mean IoU by best matching, recall at IoU 0.9, and the share of images on which the number of
masks differs.

How to measure on a GPU, step by step: the head of [`gpu.sh`](gpu.sh). No GPU was at hand for the tables below unless
one is named.

![Median milliseconds per task](plot.svg)
"""


def write_report() -> Path:
    """Write README.md and plot.svg from all results, and the short table in the main README; returns the first."""
    records = [(path, json.loads(path.read_text())) for path in sorted(RESULTS.glob("*.json"))]
    parts = [_PREFACE, *(_section(path, record) for path, record in records)]
    target = ROOT / "README.md"
    target.write_text("\n".join(parts))
    (ROOT / "plot.svg").write_text(_plot([record for _, record in records]))
    main = ROOT.parent / "README.md"
    before, after = main.read_text().split(_BEGIN)[0], main.read_text().split(_END)[1]
    main.write_text(f"{before}{_BEGIN}\n{_short_table([record for _, record in records])}\n{_END}{after}")
    return target


def _short_table(records: list[dict[str, Any]]) -> str:
    """Official and ours, packaged where it compiled: p50 / p90 in milliseconds, a row a model and task."""
    lines = [
        "| model, machine | task | official, p50 / p90 ms | ours | faster | mIoU against official |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for record in records:
        weights = "" if record["weights"] == "checkpoint" else f", {record['weights']} weights"
        for task in TASKS:
            entries = record["results"].get(task, {})
            theirs, ours = entries.get("official"), entries.get("packaged") or entries.get("eager")
            if theirs is None or ours is None:
                continue
            lines.append(
                f"| {record['model']}{weights}, {_machine(record)} | {task} "
                f"| {theirs['p50']:.1f} / {theirs['p90']:.1f} | {ours['p50']:.1f} / {ours['p90']:.1f} "
                f"| {ours['speedup_p50']:.2f} x | {ours['accuracy']['miou']:.4f} |"
            )
    return "\n".join(lines)


def _machine(record: dict[str, Any]) -> str:
    machine = record["machine"]
    return machine["gpu"] or f"{machine['cores']} CPU cores"


def table(record: dict[str, Any]) -> str:
    """The Markdown table of one run."""
    lines = [
        "| task | implementation | n | p50 | p90 | p99 | a second | faster | x floor | MiB | mIoU | recall@0.9 "
        "| count differs |",
        "| --- " * 13 + "|",
    ]
    for task in record["results"]:
        floor = record.get("floor_ms", {}).get(task)
        for name, row in record["results"][task].items():
            speedup, accuracy, memory = row.get("speedup_p50"), row.get("accuracy"), row["peak_memory_mib"]
            agreement = ("", "", "")
            if accuracy is not None:
                agreement = (
                    f"{accuracy['miou']:.4f}",
                    f"{accuracy['recall_at_90']:.4f}",
                    f"{accuracy['count_mismatch']:.0%}",
                )
            cells = (
                task,
                name,
                row["n"],
                f"{row['p50']:.1f}",
                f"{row['p90']:.1f}",
                f"{row['p99']:.1f}",
                f"{row['per_second']:.2f}",
                "" if speedup is None else f"{speedup:.2f} x",
                "" if floor is None else f"{row['p50'] / floor:.1f}",
                "" if memory is None else memory,
                *agreement,
            )
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _section(path: Path, record: dict[str, Any]) -> str:
    machine, versions = record["machine"], record["versions"]
    where = machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores, {machine['isa']}"
    precision = ", ".join(f"{name} {dtype}" for name, dtype in record["precision"].items())
    facts = [
        f"## {record['model']} ({record['weights']} weights), {path.stem[:10]}",
        f"{where}, {machine['memory_gib']} GiB; Python {machine['python']}, torch {versions['torch']}; {precision}; "
        f"commit {record['commit']}.",
        f"Input: {record['input']}{_automask(record)}.",
        f"Milliseconds to load: {_pairs(record.get('load_ms'))}; to the first result of a fresh process, imports "
        f"included: {_pairs(record.get('first_result_ms'))}.",
        *(f"Left out: {name}, for {reason}." for name, reason in record["left_out"].items()),
        f"Reproduce: `{record['command']}`.",
    ]
    return "\n\n".join(facts) + "\n\n" + table(record) + "\n"


def _automask(record: dict[str, Any]) -> str:
    rows = list(record["results"].get("AMG", {}).values())
    if not rows or "accuracy" not in rows[0]:
        return ""
    found = rows[0]["accuracy"]["masks_per_image"]
    return f"; AMG with {record['automask']['points_per_side']} points a side, {found} masks an image"


def _pairs(values: dict[str, float] | None) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in (values or {}).items()) or "not measured"


def _plot(records: list[dict[str, Any]]) -> str:
    """Horizontal bars of p50 per task, each task on its own scale, as SVG."""
    rows: list[str] = []
    y = 30
    for record in records:
        rows.append(f'<text x="10" y="{y}" class="t">{record["model"]}, {record["weights"]}</text>')
        y += 12
        for task, entries in record["results"].items():
            longest = max(row["p50"] for row in entries.values())
            rows.append(f'<text x="10" y="{y + 26}">{task}</text>')
            for name, row in entries.items():
                width = max(2.0, 420 * row["p50"] / longest)
                rows.append(f'<rect x="80" y="{y}" width="{width:.1f}" height="13" fill="{_COLORS[name]}"/>')
                rows.append(f'<text x="{86 + width:.1f}" y="{y + 11}">{name} {row["p50"]:.1f} ms</text>')
                y += 16
            y += 10
        y += 24
    style = "<style>text{font:12px sans-serif;fill:#777}.t{font-weight:bold}</style>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {y}">{style}{"".join(rows)}</svg>\n'
