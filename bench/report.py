"""The results as Markdown: `python -m bench.report [--readme | --kernels | ... | --write]`.

"fastnn is" how many times as fast: the median over rounds of both, and the best round against the
best round, which other work on the machine disturbs least. "of FMA" is the share of the machine's
multiply-adds that a side's products take: Winograd's for fastnn, which are a quarter, else all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

HEAD = (
    "| workload | case | threads | side | speed | fastnn is | at best | spread | of FMA |\n"
    + "| --- " * 9
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
        return (
            row["workload"],
            row["case"],
            "",
            row["figure"],
            f"{row['value']:.2f}",
            "",
            "",
            "",
            "",
        )
    times = [f"{row[key]:.2f}x" if key in row else "" for key in ("ratio", "ratio_best")]
    head = (row["workload"], row["case"], str(row["threads"]), row["side"])
    share = f"{row['share']:.0%}" if "share" in row else ""
    return (*head, speed(row), *times, f"{row['spread']:.0%}", share)


def line_of(row: dict[str, Any]) -> str:
    """One row for the terminal."""
    widths = (5, 16, 3, 20, 16, 8, 8, 6, 5)
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells(row), widths, strict=True))


def table(folder: Path) -> str:
    """Markdown of every result file in `folder`, with the machines and versions behind them."""
    lines, origins = [HEAD], []
    for path in sorted(folder.glob("w*.json"), key=lambda p: int(p.stem[1:])):
        result = json.loads(path.read_text())
        lines += ["| " + " | ".join(cells(row)) + " |" for row in result["rows"]]
        origins.append(f"{path.stem}: {origin(result)}")
    return "\n".join([*lines, "", *origins])


TITLES = {
    "w1": "8-64-64-1 regression, Adam",
    "w2": "784-256-128-10 classifier, Adam",
    "w5": "ratings, 64 factors, Adam",
    "w3": "28x28x1 images, convolutions of 32 and 64, Adam",
    "w4": "32x32x3 images, convolutions of 2 x 64, 128, 256, Adam",
    "w7": "784-256-32-256-784 autoencoder",
    "w10": "784-256-128-10, predict",
}
PEERS: dict[str, tuple[str, ...]] = {
    "JAX": ("jax scan", "jax"),
    "PyTorch": (
        *("torch eager", "torch fused", "torch sparse", "torch"),
        *("torch channels last", "torch NCHW"),
    ),
    "Keras": ("keras",),
    "scikit-learn": ("sklearn",),
    "ONNX Runtime": ("onnxruntime",),
}
Peers = dict[str, tuple[str, ...]]
TABLE_TITLES = {
    "w6": "5,000,000 x 64 table, Adagrad",
    "w9": "sampled softmax, 1,024 negatives",
    "w14": "ranking of pairs, 64 factors",
    "w13": "top items of a catalogue",
}
TABLE_PEERS = {
    "PyTorch": ("torch sparse", "torch joint"),
    "FBGEMM": ("fbgemm",),
    "implicit": ("implicit", "implicit BPR"),
    "NumPy": ("numpy",),
}


def compared(rows: list[dict[str, Any]], case: str, twin: str, peers: Peers, title: str) -> str:
    """One line of a short table: our speed, and how many times the best of each peer it is."""
    held = [row for row in rows if row["case"] == case and row["threads"] == 2]
    mine = next(row for row in held if row["side"] == twin)
    sides = [row for row in held if "ratio" in row and not excluded(row["side"], twin)]
    cells = []
    for names in peers.values():
        ratios = [row["ratio"] for row in sides if row["side"] in names]
        cells.append(f"{min(ratios):.1f}x" if ratios else "")
    label = f"{title}, {case}{twin.removeprefix('fastnn').replace(' ', ', ')}"
    return "| " + " | ".join([label, speed(mine), *cells]) + " |"


def excluded(side: str, twin: str) -> bool:
    """Whether a side updates tables another way than ours does: sparse against dense."""
    sparse = side.endswith("sparse")
    return sparse if twin.endswith("dense") else not sparse if twin.endswith("sparse") else False


def short(folder: Path, titles: dict[str, str], peers: Peers) -> tuple[list[str], dict[str, Any]]:
    """A short table: two threads, medians, ratios to each peer's best variant; the last result."""
    lines = [
        f"| job, 2 threads | fastnn | {' | '.join(peers)} |",
        "| --- " * (2 + len(peers)) + "|",
    ]
    versions: dict[str, str] = {}
    result: dict[str, Any] = {}
    for name, title in titles.items():
        if not (folder / f"{name}.json").exists():
            continue
        result = json.loads((folder / f"{name}.json").read_text())
        rows = [row for row in result["rows"] if row["threads"] == 2]
        versions |= result["versions"]
        twins = dict.fromkeys((r["case"], r["side"]) for r in rows if r["side"][:6] == "fastnn")
        lines += [compared(rows, case, twin, peers, title) for case, twin in twins]
    return lines, {**result, "versions": versions}


def tables(folder: Path) -> str:
    """The README's table of what works on tables of vectors."""
    lines, result = short(folder, TABLE_TITLES, TABLE_PEERS)
    return "\n".join([*lines, "", origin(result)])


def readme(folder: Path) -> str:
    """The README's table of networks."""
    lines, result = short(folder, TITLES, PEERS)
    versions = result["versions"]
    machine = result["machine"]
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


def kernels(folder: Path) -> str:
    """Every kernel and shape with its speed and share of the limit, a column per thread count."""
    result = json.loads((folder / "kernels.json").read_text())
    found: dict[tuple[str, str], dict[int, str]] = {}
    for row in result["rows"]:
        unit, label = ("gflops", "GFLOP/s") if row["gflops"] else ("gb", "GB/s")
        cell = f"{row[unit]:,.1f} {label}, {row['share_' + unit]:.0%}"
        found.setdefault((row["kernel"], row["shape"]), {})[row["threads"]] = cell
    counts = sorted({row["threads"] for row in result["rows"]})
    lines = [f"| kernel | shape | {' | '.join(f'threads {n}' for n in counts)} |"]
    lines.append("| --- " * (2 + len(counts)) + "|")
    for (kernel, shape), cells in found.items():
        lines.append(f"| {kernel} | {shape} | {' | '.join(cells.get(n, '') for n in counts)} |")
    return "\n".join([*lines, "", origin(result)])


def quality(folder: Path, stem: str = "quality") -> str:
    """What models reach on held-out data, or whatever else is held against a target."""
    result = json.loads((folder / f"{stem}.json").read_text())
    timed = any(row["seconds"] is not None for row in result["rows"])
    titles = [
        "figure",
        "reached",
        "target",
        *(["seconds of training"] if timed else []),
        "measured",
    ]
    lines = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|"]
    for row in result["rows"]:
        seconds = [f"{row['seconds']:.2f}" if row["seconds"] else ""] if timed else []
        value = f"{row['value']:{',.0f' if row['value'] >= 1000 else '.4g'}}"
        cells = [row["name"], value, row["target"], *seconds]
        lines.append(f"| {' | '.join(cells)} | {row['date']}, {row['isa']} |")
    return "\n".join([*lines, "", origin(result)])


def origin(result: dict[str, Any]) -> str:
    """Machine, versions and date in one line."""
    machine = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"{machine['cpu']} (family/model {machine['family']}, {machine['isa']}, "
        f"{machine['cores']} cores), Python {machine['python']}, {packages}; {result['date']}"
    )


TABLES: dict[str, Callable[..., str]] = {
    "": table,
    "--readme": readme,
    "--tables": tables,
    "--avx2": lambda folder: table(folder / "avx2"),
    "--kernels": kernels,
    "--quality": quality,
    "--recommenders": partial(quality, stem="recommenders"),
    "--playground": partial(quality, stem="playground"),
}
PAGES = {
    "README.md": ("--readme", "--tables"),
    "docs/benchmarks.md": (
        "",
        "--avx2",
        "--kernels",
        "--quality",
        "--recommenders",
        "--playground",
    ),
}
ROOT = Path(__file__).parents[1]


def filled(page: str, folder: Path) -> str:
    """The text of a page with the tables of these results between its marks."""
    text = (ROOT / page).read_text()
    for option in PAGES[page]:
        mark = f"<!-- figures: {' '.join(['python -m bench.report', option]).strip()} -->\n"
        before, after = text.split(mark)
        _, end, rest = after.partition("<!-- end of figures -->")
        text = before + mark + TABLES[option](folder) + "\n" + end + rest
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "results")
    for option in filter(None, TABLES):
        parser.add_argument(option, action="store_const", dest="option", const=option, default="")
    parser.add_argument("--write", action="store_true", help=f"into {' and '.join(PAGES)}")
    given = parser.parse_args()
    if given.write:
        for page in PAGES:
            (ROOT / page).write_text(filled(page, given.folder))
    else:
        print(TABLES[given.option](given.folder))


if __name__ == "__main__":
    main()
