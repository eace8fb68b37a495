"""How fast the playground is: training alone, and beside a real browser that looks at it.

Two hidden layers of 16 units, batches of 10, the spiral. The server is a process of its own, and so
is Debian's Chromium, which draws without a GPU and shares the cores with it.

examples:
  python -m bench.playground                 all figures, kept in bench/results/playground.json
  python -m bench.playground training        one of training, page
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from bench.quality import RESULTS, Row, record, row
from tests.browser import FLAGS
from tests.learn.client import Client

CHROMIUM = "/usr/bin/chromium"
LOADS = 7  # of the page, each in a fresh profile
SECONDS = 6.0
SLIDES = 15
# Notes when each boundary is drawn, and the step and the version of the settings it is of.
PROBE = """() => {
  const [parse, put] = [JSON.parse, CanvasRenderingContext2D.prototype.putImageData];
  window.drawn = [];
  let state = {};
  JSON.parse = (text, ...more) => {
    const found = parse(text, ...more);
    if (found && found.curve) state = found;
    return found;
  };
  CanvasRenderingContext2D.prototype.putImageData = function (image, ...more) {
    const row = [performance.now(), state.step, state.settings];
    if (image.width === 128 && image.height === 128) window.drawn.push(row);
    return put.call(this, image, ...more);
  };
}"""
SLIDE = """() => {
  const slider = document.querySelector("[aria-label='learning rate, slider']");
  slider.value = Number(slider.value) + (Number(slider.value) > 100 ? -1 : 1);
  window.before = window.drawn.at(-1)[2];
  window.slid = performance.now();
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}"""
SEEN = "() => window.drawn.find(([at, , version]) => at > window.slid && version > window.before)"


@contextmanager
def playground() -> Iterator[tuple[Client, int]]:
    """Serve a playground; give a client and the number of the process."""
    command = [sys.executable, "-m", "fastnn", "playground", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield Client(process.stdout.readline().decode().strip()), process.pid
        finally:
            process.send_signal(signal.SIGINT)


def steps_a_second(client: Client, seconds: float) -> float:
    """Train from the start, look once a second so that training goes on; return the speed."""
    client.post("reset")
    client.post("run", running=True)
    client.frame()
    time.sleep(min(1.0, seconds))
    first: int = client.frame().step
    last = first
    begun, spent = time.perf_counter(), 0.0
    while time.perf_counter() - begun < seconds:
        time.sleep(min(1.0, seconds))
        last, spent = client.frame().step, time.perf_counter() - begun
    client.post("run", running=False)
    return (last - first) / spent


def training() -> list[Row]:
    """Steps a second when nobody draws."""
    with playground() as (client, _):
        speed = steps_a_second(client, SECONDS)
    return [row("training, steps/s", speed, speed >= 1e5, ">= 100,000", [])]


def first_paint(chromium: Any, address: str) -> float:
    """Milliseconds from the request for the page to its first content, in a fresh profile."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(address)
    entry = "performance.getEntriesByName('first-contentful-paint')[0]"
    page.wait_for_function(f"() => {entry}")
    found: float = page.evaluate(f"{entry}.startTime")
    context.close()
    return found


def page() -> list[Row]:
    """What a person sees, and what looking costs training."""
    from playwright.sync_api import sync_playwright

    with playground() as (client, process), sync_playwright() as driver:
        address = f"http://{client.host}{client.root}"
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        paint = float(np.median([first_paint(chromium, address) for _ in range(LOADS)]))
        alone = steps_a_second(client, SECONDS)
        view = chromium.new_page(viewport={"width": 1280, "height": 800})
        view.goto(address)
        view.evaluate(PROBE)
        view.click("#run")
        view.wait_for_timeout(1000 * min(1.0, SECONDS))
        view.evaluate("window.drawn = []")
        view.wait_for_timeout(1000 * SECONDS)
        frames = np.array(view.evaluate("window.drawn"))
        slides = [effect(view) for _ in range(SLIDES)]
        status = Path(f"/proc/{process}/status").read_text()
        chromium.close()
    memory = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    gaps = np.diff(frames[:, 0])
    speed = 1000 * (frames[-1, 1] - frames[0, 1]) / (frames[-1, 0] - frames[0, 0])
    rate, late, slide = 1000 / np.median(gaps), np.percentile(gaps, 95), np.median(slides)
    return [
        row("first contentful paint, ms", paint, paint < 300, "< 300", []),
        row("frames/s while training, median", float(rate), rate >= 50, ">= 50", []),
        row("time between frames, 95 %, ms", float(late), late < 34, "< 34", []),
        row("slider to picture, median, ms", float(slide), slide < 50, "< 50", []),
        row("slider to picture, worst, ms", max(slides), True, "", []),
        row("training while looked at, steps/s", float(speed), True, "", []),
        row("share of training alone", speed / alone, speed / alone >= 0.6, ">= 0.6", []),
        row("memory of the server, at most, MB", memory, memory < 90, "< 90", []),
    ]


def effect(view: Any) -> float:
    """Milliseconds from a slider's move to the first picture under the new setting."""
    view.evaluate(SLIDE)
    view.wait_for_function(SEEN)
    slid, (drawn, *_) = view.evaluate("window.slid"), view.evaluate(f"({SEEN})()")
    return float(drawn - slid)


FIGURES: dict[str, Callable[[], list[Row]]] = {"training": training, "page": page}


def versions() -> dict[str, str]:
    """What was measured with."""
    said = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True, check=True)
    found = {name: machine.versions()[name] for name in ("fastnn", "numpy")}
    return {**found, "Chromium": said.stdout.split()[1]}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.playground",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help=f"of {' '.join(FIGURES)}; all by default")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: bench/results")
    args = parser.parse_args(argv)
    if unknown := set(args.name) - set(FIGURES):
        parser.error(f"name: expected some of {', '.join(FIGURES)}, got {', '.join(unknown)}")
    rows = [found for name in args.name or FIGURES for found in FIGURES[name]()]
    for found in rows:
        mark = "reached" if found["reached"] else "MISSED"
        print(f"{found['name']:<36} {found['value']:<12.5g} {found['target']:<10} {mark}")
    record(args.out / "playground.json", rows, versions())
    return 0 if all(found["reached"] for found in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
