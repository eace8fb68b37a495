"""What tests do with the page of the playground."""

import os
from pathlib import Path

STEP = "Number(document.getElementById('step').textContent.replaceAll(',', ''))"
LOSS = "Number(document.getElementById('training-loss').textContent)"

FRAMES = """() => new Promise((done) => {
  let left = 30;
  const next = () => (left-- ? requestAnimationFrame(next) : done());
  next();
})"""


def opened(browser, client, link="", **settings):
    made = browser(**settings)
    made.set_default_timeout(15_000)
    made.goto(f"http://{client.host}{client.root}{link}")
    until(made, f"{LOSS} >= 0")
    return made


def until(page, condition, arg=None):
    """Wait until a condition holds in the page; as a function: the page runs no text as code.

    No async one, whose promise would count as true.
    """
    page.wait_for_function(f"(arg) => {condition}", arg=arg)


def status(page, word):
    """Wait until the page says that training is so."""
    until(page, "document.getElementById('state').textContent === arg", word)


def picture(page, name):
    """Keep a picture of the whole page where one is wanted."""
    folder = os.environ.get("FASTNN_SCREENSHOTS")
    if not folder:
        return
    before = page.viewport_size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": before["width"], "height": height})
    # what was not on the screen is drawn by the next frames
    page.evaluate(FRAMES)
    page.screenshot(path=Path(folder) / f"playground-{name}.png")
    page.set_viewport_size(before)
