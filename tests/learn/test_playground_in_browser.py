"""The playground as a person meets it: in a real browser that reaches this machine alone."""

import subprocess
import sys

import numpy as np
import pytest
from fastnn.learn.playground import breaking

from tests.learn.client import serving
from tests.learn.page import LOSS, STEP, opened, picture, status, until


def test_run_makes_the_loss_fall(page):
    before = page.evaluate(LOSS)
    page.click("#run")
    until(page, f"{LOSS} < 0.1 && {STEP} > 1000")
    page.click("#run")
    status(page, "paused")
    assert before > 0.5


PALETTE = """async () => {
  const { paper, classes } = (await import("./draw.js")).palette(false);
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return [paper, ...classes].map(rgb);
}"""
# Which class has the hue of each place of the boundary.
CLASSES = """(places, [paper, ...colours]) => {
  const canvas = document.getElementById("boundary");
  const hue = (colour) => {
    const apart = colour.map((v, i) => paper[i] - v);
    return apart.map((v) => v / Math.hypot(...apart));
  };
  return places.map(([x, y]) => {
    const at = [Math.round(x * canvas.width), Math.round(y * canvas.height), 1, 1];
    const found = hue([...canvas.getContext("2d").getImageData(...at).data].slice(0, 3));
    const near = colours.map((one) => hue(one).reduce((sum, v, i) => sum + v * found[i], 0));
    return near.indexOf(Math.max(...near));
  });
}"""


def places(data, n):
    """Return n places between points of one class, as shares of the canvas, and their classes."""
    left, right, bottom, top = data["bounds"]
    points = np.array(data["points"])
    shares = np.column_stack(
        [(points[:, 0] - left) / (right - left), (top - points[:, 1]) / (top - bottom)]
    )
    random = np.random.default_rng(3)
    found: list[tuple[list[float], int]] = []
    for place in random.uniform(0.08, 0.92, (20_000, 2)):
        apart = np.hypot(*(shares - place).T)
        near = np.argsort(apart)[:4]
        classes = set(points[near, 2])
        # clear of the points themselves, and well within their class
        if apart[near[0]] > 0.015 and apart[near[-1]] < 0.06 and len(classes) == 1:
            found.append((place.tolist(), int(classes.pop())))
    chosen = random.choice(len(found), n, replace=False)
    return [found[i][0] for i in chosen], [found[i][1] for i in chosen]


@pytest.mark.parametrize("data", ["circles", "pinwheel"])
def test_the_picture_shows_the_right_class_at_20_places(page, client, data):
    client.post("set", data=data, noise=0.0, points=600)
    client.post("step", n=4000)
    where, classes = places(client.json("data"), 20)
    assert len(set(classes)) == len(client.json("data")["classes"])
    until(
        page,
        f"String(({CLASSES})(...arg)) === '{','.join(map(str, classes))}'",
        [where, page.evaluate(PALETTE)],
    )


FINDINGS = {
    "explode": "diverged",
    "vanish": "vanishing_gradients",
    "dead-relu": "dead_units",
    "overfit": "overfitting",
    "unscaled": "unscaled_inputs",
    "zeros": "symmetric_units",
}


@pytest.mark.parametrize("name", [preset.name for preset in breaking.PRESETS])
def test_a_preset_shows_its_diagnosis_and_the_fix_mends_it(page, name):
    page.click(f"#preset-{name}")
    finding = page.locator(f"#findings li[data-key^='{FINDINGS[name]} ']").first
    finding.wait_for()
    assert len(finding.locator("p").first.inner_text()) > 30
    picture(page, name)
    finding.get_by_text("Apply the fix").click()
    finding.wait_for(state="detached")
    until(page, f"{LOSS} < 0.45")
    status(page, "running")


def test_rewinding_shows_an_earlier_step_and_its_losses(page, client):
    for _ in range(3):
        page.click("#step-100")
    until(page, f"{STEP} === 300")
    now = client.frame().state
    page.focus("#rewind")
    page.keyboard.press("ArrowLeft")
    until(page, f"{STEP} < 300")
    page.keyboard.press("Home")
    until(page, f"{STEP} === 0")
    page.click("#step-100")
    until(page, f"{STEP} === 100")
    assert client.frame().state["settings"] >= now["settings"]


def test_the_copied_script_prints_the_loss_of_the_page(page, client, tmp_path):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#step-100")
    until(page, f"{STEP} === 100")
    page.fill("#set-learning_rate", "0.003")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('learning_rate=0.003')")
    page.click("#step-100")
    until(page, f"{STEP} === 200")
    page.click("#python summary")
    page.click("#copy")
    page.get_by_text("Copied.").wait_for()
    script = page.evaluate("navigator.clipboard.readText()")
    assert script == page.locator("#script").text_content()
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    loss, val_loss = (float(line.split()[-1]) for line in done.stdout.splitlines())
    state = client.frame().state
    assert (loss, val_loss) == (state["loss"], state["val_loss"])
    shown = page.evaluate("async (v) => (await import('./draw.js')).short(v)", loss)
    assert page.inner_text("#training-loss") == shown


def test_the_link_holds_the_settings_back_and_forward(page, client, browser):
    page.select_option("#set-data", "moons")
    until(page, "location.hash === '#data=moons'")
    page.select_option("#set-optimizer", "sgd")
    until(page, "location.hash === '#data=moons&optimizer=sgd'")
    page.click("#set-features input[value='x1*x2']")
    until(page, "location.hash.endsWith('&features=x1,x2,x1*x2&optimizer=sgd')")
    page.go_back()
    until(page, "!document.querySelector('#set-features input[value=\"x1*x2\"]').checked")
    page.go_back()
    until(page, "document.getElementById('set-optimizer').value === 'adam'")
    until(page, "location.hash === '#data=moons'")
    assert client.json("settings")["optimizer"] == "adam"
    page.go_forward()
    until(page, "document.getElementById('set-optimizer').value === 'sgd'")
    until(page, "location.hash === '#data=moons&optimizer=sgd'")
    link = page.evaluate("location.hash")
    client.post("link", link="#")
    other = opened(browser, client, link)
    assert other.input_value("#set-data") == "moons"
    assert client.json("settings")["optimizer"] == "sgd"
    other.close()


def test_a_wrong_link_is_said(page, client):
    page.evaluate("location.hash = '#data=mars'")
    page.get_by_text("data: expected one of circles").wait_for()
    assert client.json("settings")["data"] == "spiral"
    page.click("#message-close")
    # the browser notes the answer 400, as it should
    assert page.complaints.pop().startswith("Failed to load resource")


def test_points_are_drawn_and_a_file_is_read(page, client, tmp_path):
    page.select_option("#set-data", "drawn")
    page.locator("#sketch").wait_for()
    page.click("#draw-clear")
    box = page.locator("#boundary").bounding_box()
    with page.expect_response("**/points"):
        for x, y in ((0.25, 0.25), (0.75, 0.75)):
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            page.fill("#draw-class", "1")
    drawn = sorted(client.json("data")["points"])
    assert np.allclose(np.array(drawn)[:, :3], [[-3, 3, 0], [3, -3, 1]], atol=0.1)
    (tmp_path / "own.csv").write_text("a,b,kind\n1,2,x\n3,4,y\n5,6,x\n7,9,y\n")
    until(page, "location.hash === '#data=drawn'")
    page.select_option("#set-data", "csv")
    client.post("set", seed=8)  # what another page does leaves the question for a file open
    until(page, "location.hash.includes('seed=8')")
    page.set_input_files("#csv-file", tmp_path / "own.csv")
    page.click("#csv-send")
    until(page, "document.getElementById('data-title').textContent.includes('own.csv')")
    assert client.json("data")["classes"] == ["x", "y"]


def test_a_server_that_has_gone_is_said(browser):
    with serving(points=40) as client:
        page = opened(browser, client)
    page.locator("#gone").wait_for()
    assert "The playground's server does not answer" in page.inner_text("#gone")
    assert all("ERR_CONNECTION_REFUSED" in said for said in page.complaints)
