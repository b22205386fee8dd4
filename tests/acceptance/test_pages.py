"""A doctor's way through the pages, in headless Chromium."""

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from dicom_scp.sender import send
from tests.acceptance.conftest import RunningArchive
from tests.acceptance.test_whole_way import stored_instances

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

ARTIFACTS = Path(__file__).resolve().parents[1] / ".artifacts"
VIEWPORTS = {"phone": (390, 844), "desktop": (1366, 768)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium under Playwright; a missing one fails the run loudly."""
    path = shutil.which("chromium")
    assert path, "chromium is missing: apt-get install chromium"
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


def contrast(page: Page, selector: str) -> float:
    """How much there is to see in an element: the standard deviation of its pixels."""
    shot = page.locator(selector).first.screenshot()
    return float(np.asarray(Image.open(io.BytesIO(shot)).convert("L")).std())


@pytest.mark.parametrize("device", VIEWPORTS)
def test_sign_in_open_a_study_zoom_and_see_a_picture(
    device: str,
    chromium: Browser,
    archive: RunningArchive,
    pydicom_file: Callable[[str], Path],
    corpus_files: Callable[[str], list[Path]],
) -> None:
    """One link signs in, one click shows a study, the next its pictures; presets and zoom change what is seen."""
    link = archive.start()
    sent = corpus_files("ct/ge-hispeed-head-*") or [pydicom_file("CT_small.dcm")]
    list(send(sent, host="127.0.0.1", port=archive.dicom_port, calling="TEST", called="PACS"))
    with archive.client() as http:
        archive.wait_for(lambda: len(stored_instances(http)) == len(sent))
    width, height = VIEWPORTS[device]
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    ARTIFACTS.mkdir(exist_ok=True)

    page.goto(link)
    page.locator("a[href*='/studies/']").first.wait_for()
    page.screenshot(path=ARTIFACTS / f"{device}-worklist.png")
    page.locator("a[href*='/studies/']").first.click()
    page.locator("a[href*='/series/'] img").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=ARTIFACTS / f"{device}-study.png")
    assert contrast(page, "a[href*='/series/'] img") > 10

    page.locator("a[href*='/series/']").first.click()
    page.locator(".openseadragon-canvas canvas").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    page.screenshot(path=ARTIFACTS / f"{device}-viewer.png")
    assert contrast(page, ".openseadragon-canvas") > 10
    before = page.locator(".openseadragon-canvas").first.screenshot()
    page.keyboard.press("2")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    assert page.locator(".openseadragon-canvas").first.screenshot() != before
    before = page.locator(".openseadragon-canvas").first.screenshot()
    page.mouse.move(width / 2, height / 2)
    page.mouse.dblclick(width / 2, height / 2)
    page.keyboard.press("+")
    page.wait_for_timeout(1200)
    assert page.locator(".openseadragon-canvas").first.screenshot() != before
    page.screenshot(path=ARTIFACTS / f"{device}-zoomed.png")
    assert errors == []
    context.close()

    stranger = chromium.new_context().new_page()
    stranger.goto(link)
    assert "/studies/" not in stranger.content(), "a one-time link works once"
    stranger.context.close()
