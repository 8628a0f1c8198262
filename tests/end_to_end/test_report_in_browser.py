"""
report.html in a headless browser: quiet, without the network, reachable by keyboard, and no wider than a phone.

Needs playwright (the extra `browser`) and a Chromium: its own, or the one that `$C4ML_CHROMIUM` or the path names.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import c4ml_xdsl as c4ml
from tests.unit.test_report_page import hostile_model

playwright = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed: pip install '.[browser]'")

MODELS = Path(__file__).parent.parent / "models"
PHONE, DESKTOP = {"width": 375, "height": 800}, {"width": 1280, "height": 900}
CASES: dict[str, dict[str, Any]] = {
    "cnn_resadd_truncavg_pot": {"clock_ns": 3.0, "valid": True},
    "digits_mlp_w2a2_pot": {},
    "hostile names": {},
}

CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) { return colour; }
    }
    return [255, 255, 255];
  };
  let worst = [21, ""];
  for (const element of document.querySelectorAll("body *")) {
    if (["SCRIPT", "STYLE"].includes(element.tagName) || element.closest("svg")) { continue; }
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) { continue; }
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) { worst = [ratio, element.tagName + ": " + element.textContent.trim().slice(0, 40)]; }
  }
  return worst;
}"""
"""The lowest contrast of text to what is behind it, and where."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    given = os.environ.get("C4ML_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as tool:
        try:
            launched = tool.chromium.launch(executable_path=given)
        except playwright.Error as error:
            pytest.skip(
                f"no Chromium: playwright install chromium, or set C4ML_CHROMIUM ({str(error).splitlines()[0]})"
            )
        yield launched
        launched.close()


@pytest.fixture(scope="module", params=CASES)
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "out"
    model = hostile_model() if request.param == "hostile names" else MODELS / request.param / "model.onnx"
    circuit = c4ml.compile(model, effort="fast", verify=False, **CASES[request.param])
    circuit.package(folder)
    return folder / "report.html"


def opened(browser: Any, file: Path, **options: Any) -> tuple[Any, list[str]]:
    """The page, and what it complained of or asked the network for."""
    page = browser.new_page(**options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
    page.on("request", lambda request: request.url == file.as_uri() or said.append(request.url))
    page.goto(file.as_uri())
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_quiet_and_readable(browser: Any, page_file: Path, scheme: str) -> None:
    """No console message, no request; the system's colours and the button's, with contrast enough in both."""
    page, said = opened(browser, page_file, viewport=DESKTOP, color_scheme=scheme)
    background = "getComputedStyle(document.body).backgroundColor"
    first = page.evaluate(background)
    seen = {first}
    for label in ("light", "dark"):
        page.click("#theme")
        assert page.inner_text("#theme") == f"Theme: {label}"
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, where
        seen.add(page.evaluate(background))
    page.click("#theme")
    assert page.evaluate(background) == first
    assert len(seen) == 2
    assert said == []
    page.close()


def test_the_keyboard_reaches_each_layer(browser: Any, page_file: Path) -> None:
    """Each box takes the focus, shows its layer beside the graph, and leads to its entry."""
    page, said = opened(browser, page_file, viewport=DESKTOP)
    names = page.locator(".graph a.box").evaluate_all("boxes => boxes.map(box => box.getAttribute('href'))")
    assert len(names) >= 2
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        target = page.evaluate(
            "document.activeElement.closest('.graph a') ? document.activeElement.getAttribute('href') : ''"
        )
        if target:
            reached.append(target)
            title = page.inner_text(f"{target} h3")
            assert page.inner_text("#panel h3") == title
            assert (
                page.evaluate("getComputedStyle(document.activeElement.querySelector('.frame')).strokeWidth") == "3.5px"
            )
        elif reached:
            break
    assert reached == names
    page.locator(".graph a.box").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".graph a[aria-current]").count() == 1
    assert said == []
    page.close()


def test_a_phone_scrolls_in_one_direction(browser: Any, page_file: Path) -> None:
    page, said = opened(browser, page_file, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator(".graph a.box").first
    box.click()
    assert page.evaluate("location.hash") == box.get_attribute("href")
    assert said == []
    page.close()


def test_all_is_there_without_scripts(browser: Any, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=DESKTOP)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("#theme").is_hidden()
    assert page.locator("#panel").is_hidden()
    for section in page.locator("main > section").all():
        assert section.is_visible()
    box = page.locator(".graph a.box").nth(1)
    box.click()
    assert page.url.endswith(str(box.get_attribute("href")))
    context.close()
