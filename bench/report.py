"""The results as a Markdown table: `python -m bench.report [FOLDER]`.

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "results")
    print(table(parser.parse_args().folder))


if __name__ == "__main__":
    main()
