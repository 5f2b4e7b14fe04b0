"""The page opened in a browser: nothing is loaded or complained of, all is in view, and everybody can read it.

Chromium is the system's own. Where there is none, CI fails and anybody else skips this file: `apt-get install chromium`.
"""

import json
import os
import shutil
from dataclasses import replace

import pytest

from backproof.runs.comparison import Compared, Comparison
from tests.saved_runs import NAMES, run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1180, "height": 800}, {"width": 390, "height": 844}

if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("no Chromium: pages are not opened in a browser here", allow_module_level=True)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "CI is set, and there is no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def window(browser):
    """One window of the browser, in which the pages are opened one after another."""
    page = browser.new_page()
    yield page
    page.close()


class Opened:
    """A page that was opened, with what it asked for and complained of."""

    def __init__(self, window, file):
        self.page = window
        self.said, self.asked = [], []
        self.listeners = {
            "console": lambda message: self.said.append(message.text),
            "pageerror": lambda error: self.said.append(str(error)),
            "request": lambda request: self.asked.append(request.url),
        }
        for event, listener in self.listeners.items():
            self.page.on(event, listener)
        self.page.goto(file.as_uri())

    def left(self):
        """Hears no more of the window, which is for the next page."""
        for event, listener in self.listeners.items():
            self.page.remove_listener(event, listener)
        self.page.goto("about:blank")

    def box(self, selector):
        """Where the first element of a selector lies, None where it has no size."""
        return self.page.locator(selector).first.bounding_box()


@pytest.fixture
def opened(window, tmp_path):
    """Opens a text as a page, in place of the one before: of a colour and a size."""
    pages = []

    def open_page(text, scheme="light", size="desktop"):
        if pages:
            pages[-1].left()
        window.emulate_media(media="screen", color_scheme=scheme)
        window.set_viewport_size(DESKTOP if size == "desktop" else PHONE)
        file = tmp_path / f"{len(pages)}.html"
        file.write_text(text, encoding="utf-8")
        pages.append(Opened(window, file))
        return pages[-1]

    yield open_page
    if pages:
        pages[-1].left()


def fits(one, viewport):
    """Whether nothing must be scrolled sideways to be read, but what scrolls by itself."""
    return one.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def violations(one):
    """What axe-core finds that is serious, with the elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(one.page).response["violations"]
    return [(each["id"], [node["html"][:120] for node in each["nodes"]][:3]) for each in found if each["impact"] in ("serious", "critical")]


AXED = ["right", "equation 3", "equation 11", "raises", "real size", "could not run"]
EQUATIONS = ["equation 2", "equation 3", "equation 4", "equation 10", "equation 11"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_by_itself_and_its_verdict_is_in_the_first_screen(name, opened):
    report = run(name)
    one = opened(report.html())
    assert one.said == []
    assert [url for url in one.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in one.asked if url.startswith("file:")]) == 1
    assert fits(one, DESKTOP)
    heading = one.box("h1")
    assert heading["width"] > 100
    assert heading["y"] + heading["height"] < DESKTOP["height"]
    assert one.page.locator(".badge").first.inner_text() == report.verdict.value.replace("_", " ")
    if name in AXED:
        assert violations(one) == []
    if name in EQUATIONS:
        shows_what_to_change(one, report)


def shows_what_to_change(one, report):
    """In the first screen, with its equation and a picture."""
    for selector in (".change math", ".change pre", ".hero svg"):
        box = one.box(selector)
        assert box["width"] > 30, selector
        assert box["height"] > 15, selector
        assert box["y"] + min(box["height"], 120) < DESKTOP["height"], selector
    for selector in (".network", ".chain math", ".chain tr.off", ".bars .failed"):
        if selector.startswith(".chain") and report.findings[0].answer is None:
            continue
        one.page.locator(selector).first.scroll_into_view_if_needed()
        box = one.box(selector)
        assert box["width"] > 0, selector
        assert box["height"] > 0, selector
    # a formula that is laid out is wider than its letters alone are high
    assert one.page.evaluate("[...document.querySelectorAll('.change mfrac')].every(f => f.getBoundingClientRect().height > 20)")


@pytest.mark.parametrize("name", ["right", "equation 3", "lossy", "markup", "real size"])
def test_in_the_dark_and_on_a_phone(name, opened):
    page = run(name).html()
    dark = opened(page, "dark")
    assert violations(dark) == []
    paper, ink = dark.page.evaluate("(() => {const s = getComputedStyle(document.documentElement); return [s.backgroundColor, s.color]})()")
    assert sum(map(int, paper[4:-1].split(","))) < 150 < sum(map(int, ink[4:-1].split(",")))
    phone = opened(page, "light", "phone")
    assert fits(phone, PHONE)
    heading = phone.box("h1")
    assert heading["x"] >= 0
    assert heading["y"] < PHONE["height"] / 2


def test_all_that_is_long_is_folded_opens_without_script_and_is_printed(opened):
    one = opened(run("equation 3").html())
    folded = one.page.locator("section details")
    assert folded.count() > 4
    assert one.page.locator("details[open]").count() == 0
    finding = one.page.locator("#finding-1")
    one.page.emulate_media(media="print")
    assert finding.locator("dd").first.is_visible()
    one.page.emulate_media(media="screen")
    assert not finding.locator("dd").first.is_visible()
    finding.locator("summary").click()
    assert finding.locator("dd").first.is_visible()


def test_a_comparison_opens_and_a_cell_leads_to_its_finding(opened):
    names = ["equation 3", "right", "equation 3", "raises", "lossy"]
    compared = [Compared(f"of/{i}.py:f", json.loads(run(name).to_json())) for i, name in enumerate(names)]
    one = opened(Comparison((*compared, Compared("gone.py:f", error="Killed")), 1).html())
    assert one.said == []
    assert violations(one) == []
    assert fits(one, DESKTOP)
    cell = one.page.locator("td.law a").first
    target = cell.get_attribute("href")
    cell.click()
    assert one.page.locator(target).is_visible()


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_the_laws_of_a_comparison_scroll_beside_the_names_of_its_targets(device, opened):
    """At 1200 pixels the columns of all laws but five were cut, and scrolling to them lost whose they were."""
    compared = [
        Compared(f"of/{i}/{'student_' * 6}.py:f", json.loads(run(name).to_json())) for i, name in enumerate(("equation 3", "right"))
    ]
    one = opened(Comparison(tuple(compared), 1).html(), "light", device)
    one.page.evaluate("document.querySelector('.scrolls').scrollLeft = 10000")
    view = one.page.locator(".scrolls").first.bounding_box()
    name, law = (one.page.locator(which).bounding_box() for which in ("tbody tr:not(.group) th >> nth=0", "thead th.law >> nth=-1"))
    assert view["x"] <= name["x"] < view["x"] + 2
    assert name["x"] + name["width"] < law["x"]
    assert law["x"] + law["width"] <= view["x"] + view["width"] + 1


def test_this_can_fail(opened):
    one = opened(
        "<html><body><h1 style='color:#eee;background:#fff'>faint</h1><img src='missing.png'><script>undefined.x</script></body></html>"
    )
    assert one.said
    assert len(one.asked) > 1
    assert {name for name, _ in violations(one)} >= {"color-contrast", "image-alt"}


def test_bars_and_their_names_keep_to_their_columns(opened):
    """Of a target that is asked all activations and losses: "16 of 17, 1 not judged" stood in the next column's names."""
    report = run("raises")
    fared = {"passed": 1, "failed": 16, "unjudged": 101}
    asked = {
        "depth": range(1, 7),
        "width": range(1, 30),
        "batch": (1, 2, 33),
        "activation": [f"leaky_relu(slope={slope})" for slope in (-0.5, 0.0, 2.0)],
        "loss": ["binary_cross_entropy_of_probabilities", "half_squared_error", "summed_binary_cross_entropy_with_logits"],
        "value_class": ["mixed_scales", "a_class_of_one_word".replace("_", "")],
    }
    by = {name: [fared | {"value": value} for value in values] for name, values in asked.items()}
    one = opened(replace(report, tally=report.tally | {"by": by}).html())
    assert one.page.locator(".bars").count() == len(asked)
    boxes = "[...document.querySelectorAll('.bars')].map(t => t.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    placed = one.page.evaluate(boxes)
    for i, (left, top, right, bottom) in enumerate(placed):
        assert not [b for b in placed[i + 1 :] if b[0] < right - 1 and left < b[2] - 1 and b[1] < bottom - 1 and top < b[3] - 1]
    wider = "[...document.querySelectorAll('.bars th, .bars td')].filter(c => c.scrollWidth > c.clientWidth + 1).map(c => c.textContent)"
    assert one.page.evaluate(wider) == []
