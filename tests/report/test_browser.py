"""The pages in a real browser: at the width of a desk and of a phone, light and dark; clicked through, and measured."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.report import write
from builder.settings import load
from builder.spec import Stacks
from tests.bundle.conftest import Site
from tests.indexed import fetched
from tests.report.conftest import written

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.heavy,  # a minute; and it brings playwright, 160 MB, once
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt-get install chromium"),
]
SCREENS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# Of each piece of text that is seen: its contrast with what lies behind it, as WCAG 2.2 reckons it.
CONTRASTS = """() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => parts(colour).slice(0, 3).map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = element => {
    if (element.closest("svg")) return getComputedStyle(element.parentElement.querySelector("rect")).fill;
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || element.closest("title") || !element.checkVisibility()) continue;
    const colour = element.closest("svg") ? getComputedStyle(element).fill : getComputedStyle(element).color;
    const [one, other] = [light(colour), light(behind(element))].sort((a, b) => b - a);
    found.push([walk.currentNode.textContent.trim(), (one + 0.05) / (other + 0.05)]);
  }
  return found;
}"""
# What of the picture's text is wider than its box, and the boxes that are seen.
PICTURE = """() => [...document.querySelectorAll("svg.map")].filter(one => one.checkVisibility()).map(one => ({
  kind: [...one.classList], boxes: one.querySelectorAll("rect").length,
  wide: [...one.querySelectorAll("text")].filter(text =>
    text.getBBox().x + text.getBBox().width > text.parentElement.querySelector("rect").getBBox().x
      + text.parentElement.querySelector("rect").getBBox().width + 1).map(text => text.textContent)
}))"""


@pytest.fixture(scope="module")
def folder(states: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("browser")
    written(states, out)
    own = load()
    write(Stacks(own).named(["onnx-cpu", "gsplat"]), own, out / "shipped", [])
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(fetched("playwright", "1.65.2"))])
        playwright: Any = importlib.import_module("playwright.sync_api")
        with playwright.sync_playwright() as started:
            found = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            yield found
            found.close()


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}-{screen[1]}")
def page(request: pytest.FixtureRequest, browser: Any, folder: Path) -> Iterator[Any]:
    """A page that fails its test where anything was asked for beyond its folder, or the browser complained."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(10_000)
    one, asked, said = context.new_page(), list[str](), list[str]()
    one.on("request", lambda seen: asked.append(seen.url))
    one.on("console", lambda seen: said.append(seen.text))
    one.on("pageerror", lambda seen: said.append(str(seen)))
    one.on("dialog", lambda seen: said.append(seen.message))
    yield one
    context.close()
    assert [url for url in asked if not url.startswith(folder.as_uri())] == []
    assert said == []


def measured(page: Any) -> None:
    """Nothing lies beyond the screen, and every text is read against what lies behind it."""
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 5
    assert [(text, round(contrast, 1)) for text, contrast in contrasts if contrast < 4.5] == []


def test_the_index_leads_to_a_page_and_back(page: Any, folder: Path) -> None:
    page.goto((folder / "index.html").as_uri())
    measured(page)
    page.get_by_role("link", name="whole").click()
    assert page.url.endswith("/stacks/whole.html")
    assert page.get_by_role("heading", level=1).inner_text() == "whole"
    page.get_by_role("link", name="All stacks").click()
    assert page.url.endswith("/index.html")


@pytest.mark.parametrize("name", ["whole", "failed", "stale", "partial", "none", "damaged", "speaks", "silent"])
def test_a_page_fits_the_screen_and_is_read_in_every_state(name: str, page: Any, folder: Path) -> None:
    page.goto((folder / "stacks" / f"{name}.html").as_uri())
    for details in page.locator("details").all():
        if details.get_attribute("open") is None:
            details.locator("summary").click()
    measured(page)


def test_its_parts_are_reached_opened_and_seen(page: Any, folder: Path) -> None:
    page.goto((folder / "stacks" / "whole.html").as_uri())
    page.get_by_role("link", name="Proof").click()
    assert page.url.endswith("#proof")
    tests = page.get_by_text("python is there")
    assert not tests.is_visible()
    page.get_by_text("All 2 tests").click()
    assert tests.is_visible()
    page.get_by_text("compose.yaml", exact=True).click()
    assert page.get_by_text("services:").is_visible()


@pytest.mark.parametrize("name", ["stacks/whole", "shipped/stacks/onnx-cpu", "shipped/stacks/gsplat"])
def test_the_picture_is_that_of_the_screen_and_its_words_fit(name: str, page: Any, folder: Path) -> None:
    page.goto((folder / f"{name}.html").as_uri())
    measured(page)
    (seen,) = page.evaluate(PICTURE)
    assert seen["kind"] == ["map", "wide" if page.viewport_size["width"] > 640 else "narrow"]
    assert seen["boxes"] >= 3
    assert seen["wide"] == []


def test_light_is_light_and_dark_is_dark(page: Any, folder: Path) -> None:
    page.goto((folder / "index.html").as_uri())
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    red = int(ground.removeprefix("rgb(").split(",")[0])
    assert red < 64 if dark else red > 192
