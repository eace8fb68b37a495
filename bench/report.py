"""The results as a Markdown table: `python -m bench.report [FOLDER] [--readme]`.

"fastnn is" how many times as fast: the median over rounds of both, and the best round against the
best round, which other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HEAD = (
    "| workload | case | threads | side | speed | fastnn is | at best | spread |\n"
    + "| --- " * 8
    + "|"
)


def speed(row: dict[str, Any]) -> str:
    """Examples per second of training, time per call of prediction and import."""
    if row["workload"] == "w10":
        return f"{1e6 * int(row['case'].split()[0]) / row['per_second']:,.1f} us"
    if row["workload"] == "w11":
        return f"{1 / row['per_second']:.3f} s"
    return f"{row['per_second']:,.0f} /s"


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "figure" in row:
        return row["workload"], row["case"], "", row["figure"], f"{row['value']:.2f}", "", "", ""
    times = [f"{row[key]:.2f}x" if key in row else "" for key in ("ratio", "ratio_best")]
    head = (row["workload"], row["case"], str(row["threads"]), row["side"])
    return (*head, speed(row), *times, f"{row['spread']:.0%}")


def line_of(row: dict[str, Any]) -> str:
    """One row for the terminal."""
    widths = (5, 12, 3, 16, 16, 8, 8, 6)
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells(row), widths, strict=True))


def table(folder: Path) -> str:
    """Markdown of every result file in `folder`, with the machines and versions behind them."""
    lines, origins = [HEAD], []
    for path in sorted(folder.glob("w*.json"), key=lambda p: int(p.stem[1:])):
        result = json.loads(path.read_text())
        lines += ["| " + " | ".join(cells(row)) + " |" for row in result["rows"]]
        machine = result["machine"]
        packages = ", ".join(f"{name} {v}" for name, v in result["versions"].items())
        origins.append(
            f"{path.stem}: {machine['cpu']} (family/model {machine['family']}, {machine['isa']}, "
            f"{machine['cores']} cores), Python {machine['python']}, {packages}; {result['date']}"
        )
    return "\n".join([*lines, "", *origins])


TITLES = {
    "w1": "8-64-64-1 regression, Adam",
    "w2": "784-256-128-10 classifier, Adam",
    "w5": "ratings, 64 factors, Adam",
    "w7": "784-256-32-256-784 autoencoder",
    "w10": "784-256-128-10, predict",
}
PEERS = {
    "JAX": ("jax scan",),
    "PyTorch": ("torch eager", "torch fused", "torch sparse", "torch"),
    "scikit-learn": ("sklearn",),
    "ONNX Runtime": ("onnxruntime",),
}


def compared(rows: list[dict[str, Any]], case: str, twin: str) -> str:
    """One line of the short table: our speed, and how many times the best of each peer it is."""
    held = [row for row in rows if row["case"] == case and row["threads"] == 2]
    mine = next(row for row in held if row["side"] == twin)
    sides = [row for row in held if "ratio" in row and not excluded(row["side"], twin)]
    cells = []
    for names in PEERS.values():
        ratios = [row["ratio"] for row in sides if row["side"] in names]
        cells.append(f"{min(ratios):.1f}x" if ratios else "")
    label = f"{TITLES[mine['workload']]}, {case}{twin.removeprefix('fastnn').replace(' ', ', ')}"
    return "| " + " | ".join([label, speed(mine), *cells]) + " |"


def excluded(side: str, twin: str) -> bool:
    """Whether a side updates tables another way than ours does: sparse against dense."""
    sparse = side.endswith("sparse")
    return sparse if twin.endswith("dense") else not sparse if twin.endswith("sparse") else False


def readme(folder: Path) -> str:
    """The README's table: two threads, medians, ratios to each peer's best variant."""
    lines = [
        f"| job, 2 threads | fastnn | {' | '.join(PEERS)} |",
        "| --- " * (2 + len(PEERS)) + "|",
    ]
    for name in TITLES:
        result = json.loads((folder / f"{name}.json").read_text())
        rows = result["rows"]
        twins = dict.fromkeys((r["case"], r["side"]) for r in rows if r["side"][:6] == "fastnn")
        lines += [compared(rows, case, twin) for case, twin in twins]
    machine, versions = result["machine"], result["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    start = json.loads((folder / "w11.json").read_text())["rows"]
    times = {row["side"]: 1 / row["per_second"] for row in start if "per_second" in row}
    sizes = {row["figure"]: row["value"] for row in start if "figure" in row}
    return "\n".join(
        [
            *lines,
            "",
            f"{machine['cpu']} (family/model {machine['family']}, {machine['isa']}), "
            f"{machine['cores']} cores; Python {machine['python']}, {packages}; "
            f"{result['date'][:10]}. A fresh interpreter is ready to build a model after "
            f"{times['fastnn Model']:.2f} s (`import numpy`: {times['import numpy']:.2f} s); "
            f"the wheel has {sizes['wheel MB']:.1f} MB, installed {sizes['installed MB']:.1f} MB.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "results")
    parser.add_argument("--readme", action="store_true", help="the short table of the README")
    given = parser.parse_args()
    print((readme if given.readme else table)(given.folder))


if __name__ == "__main__":
    main()
