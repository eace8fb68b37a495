"""The playground for those who see, point and move differently: keys, names, contrast, widths."""

import time

import pytest
from fastnn.learn.playground import schema
from fastnn.learn.playground.trainer import Trainer

from tests.learn.client import serving
from tests.learn.page import FRAMES, STEP, opened, picture, status, until


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


HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_hidden_page_asks_for_nothing_so_that_training_waits(browser):
    trainer = Trainer(schema.DEFAULTS, idle_after=0.3)
    with serving(trainer) as client:
        page = opened(browser, client)
        page.click("#run")
        until(page, f"{STEP} > 100")
        page.evaluate(HIDE, True)
        end = time.monotonic() + 20
        while trainer._latest.status != "waiting":  # the trainer tells without being looked at
            page.evaluate(FRAMES)
            assert time.monotonic() < end
        step = trainer._latest.step
        page.evaluate(HIDE, False)
        until(page, f"{STEP} > arg", step)
        status(page, "running")
        page.close()
