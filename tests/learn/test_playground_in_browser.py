"""The playground as a person meets it: in a real browser that reaches this machine alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastnn.learn.playground import breaking

from tests.learn.client import serving

STEP = "Number(document.getElementById('step').textContent.replaceAll(',', ''))"
LOSS = "Number(document.getElementById('training-loss').textContent)"

FRAMES = """() => new Promise((done) => {
  let left = 30;
  const next = () => (left-- ? requestAnimationFrame(next) : done());
  next();
})"""


@pytest.fixture
def client():
    with serving() as found:
        yield found


@pytest.fixture
def page(browser, client):
    """A page that shows the playground; at the end it must have found nothing to complain of."""
    made = opened(browser, client)
    yield made
    made.close()
    assert made.outside == []
    assert made.complaints == []


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


def test_a_whole_run_by_keyboard(page, client):
    def tab_to(selector):
        for _ in range(200):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"Tab never reaches {selector}")

    tab_to("#run")
    page.keyboard.press("Space")
    until(page, f"{STEP} > 100")
    tab_to("#preset-overfit")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('data=moons')")
    tab_to("#set-data")
    page.keyboard.type("three")  # blobs
    until(page, "!location.hash.includes('data=moons')")
    tab_to("[aria-label='learning rate, slider']")
    rate = client.json("settings")["learning_rate"]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(page, "Number(document.getElementById('set-learning_rate').value) > arg", rate)
    tab_to("#set-optimizer")
    page.keyboard.press("ArrowUp")
    tab_to("#python summary")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('script').textContent.includes('train_steps')")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    status(page, "paused")
    page.keyboard.press("r")
    until(page, f"{STEP} === 0")
    settings = client.json("settings")
    assert (settings["data"], settings["optimizer"]) == ("blobs", "rmsprop")
    assert settings["learning_rate"] > rate


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


NAMED = {"button", "checkbox", "combobox", "slider", "spinbutton", "textbox", "tab", "tabpanel"}
NAMED |= {"image", "img", "region", "form", "table", "link", "tablist"}


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")


def test_every_control_has_a_name(page):
    page.click("#preset-zeros")
    page.locator("#findings li").first.wait_for()
    unfold(page)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    nodes = [node for node in tree["nodes"] if not node["ignored"]]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    controls = [entry for entry in named if entry[0] in NAMED]
    assert [entry for entry in controls if not entry[1].strip()] == []
    assert len(controls) > 60
    assert page.locator("[role=group]:not([aria-label], [aria-labelledby])").count() == 0
    buttons = [name for role, name in controls if role == "button" and name != "Apply the fix"]
    assert len(buttons) == len(set(buttons))
    assert page.locator("[role=status]").first.inner_text() != ""


FOCUSABLE = """() => [...document.querySelectorAll(
    "a[href], button, input, select, summary, [tabindex]")].filter((element) =>
  element.checkVisibility() && !element.disabled && element.tabIndex >= 0)"""
MARK = f"({FOCUSABLE})().forEach((element, i) => {{ element.dataset.place = i; }})"


def test_tab_goes_through_all_controls_in_the_order_of_the_page(page):
    unfold(page)
    page.evaluate(f"() => {{ {MARK} }}")
    count = page.evaluate(f"({FOCUSABLE})().length")
    found = []
    for _ in range(count):
        page.keyboard.press("Tab")
        found.append(page.evaluate("Number(document.activeElement.dataset.place)"))
    assert found == list(range(count))


# Words whose colour has too little contrast with what lies behind them (WCAG 2: 4.5 to 1).
FAINT = """() => {
  const numbers = (colour) => {
    const found = colour.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
    const scale = colour.startsWith("color(") ? 255 : 1;
    return [...found.slice(0, 3).map((v) => v * scale), found[3] ?? 1];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
  const behind = (element) => (element
    ? over(numbers(getComputedStyle(element).backgroundColor), behind(element.parentElement))
    : [255, 255, 255]);
  const light = (colour) => {
    const [r, g, b] = colour.map((v) =>
      (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = new Set();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const words = texts.currentNode.textContent.trim();
    if (!words || !element.checkVisibility() || element.closest(":disabled, script")) continue;
    const back = behind(element);
    const [a, b] = [light(over(numbers(getComputedStyle(element).color), back)), light(back)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.add(`${words}: ${contrast.toFixed(2)}`);
  }
  return [...found];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read(browser, client, scheme):
    page = opened(browser, client, color_scheme=scheme)
    page.click("#preset-dead-relu")
    page.locator("#findings li").first.wait_for()
    page.click("#tab-confusion")
    unfold(page)
    assert page.evaluate(FAINT) == []
    picture(page, scheme)
    page.close()


@pytest.mark.parametrize("width", [320, 768, 1280, 1920])
def test_nothing_is_wider_than_the_screen(browser, client, width):
    page = opened(browser, client, width=width)
    client.post("step", n=2000)
    until(page, f"{STEP} === 2000")
    picture(page, f"{width}")
    for fold in (False, True):
        if fold:
            unfold(page)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= page.evaluate("document.documentElement.clientWidth")
    picture(page, f"{width}-unfolded")
    page.close()


def test_a_calm_page_still_trains(browser, client):
    page = opened(browser, client, reduced_motion="reduce")
    page.click("#run")
    until(page, f"{STEP} > 100")
    page.close()
    assert page.complaints == []
