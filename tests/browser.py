"""A browser for tests: Debian's Chromium under Playwright, which reaches this machine alone."""

import contextlib
import shutil

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="package")
def chromium():
    """The running browser, or a reason to skip; it ends with the folder that uses it.

    Playwright keeps an event loop and a thread, which tests elsewhere (of fork) do not want.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Debian's chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        started.close()


@contextlib.contextmanager
def pages(chromium):
    """A maker of pages, `page(width=1280, height=800)`, each with a fresh profile.

    A page notes in `page.outside` every address beyond this machine that it asked for, and in
    `page.complaints` the errors of its console and scripts.
    """
    contexts = []

    def page(width=1280, height=800, **settings):
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        made = context.new_page()
        made.set_default_timeout(60_000)  # of milliseconds: tests share their machine
        made.outside, made.complaints = [], []
        made.on("request", lambda request: _note_outside(made, request.url))
        made.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.on("console", lambda said: _note_complaint(made, said))
        return made

    yield page
    for context in contexts:
        context.close()


@pytest.fixture
def browser(chromium):
    """Return a maker of pages for one test."""
    with pages(chromium) as page:
        yield page


def _note_outside(page, address):
    if not address.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")):
        page.outside.append(address)


def _note_complaint(page, said):
    if said.type == "error":
        page.complaints.append(f"{said.text} ({said.location.get('url', '')})")
