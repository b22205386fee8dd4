"""OHIF opens what it finds: the viewer as shipped, in headless Chromium, on a running archive."""

import io
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import Page, Request, sync_playwright
from pydicom.uid import generate_uid

from dicom_scp.sender import send
from tests.acceptance.conftest import RunningArchive
from tests.acceptance.test_whole_way import stored_instances

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),  # real files break rules, and pydicom says so
]

ARTIFACTS = Path(__file__).resolve().parents[1] / ".artifacts"
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"]
CANVAS = "canvas.cornerstone-canvas"

KINDS = {  # what is opened → where in the corpus, and pydicom's own file when that is absent
    "ct-series": ("ct/ge-hispeed-head-*", "CT_small.dcm"),
    "mammogram": ("cr-dx-mg/mg-*", "693_J2KI.dcm"),
    "ultrasound-clip": ("us/sonosite-ybr-30f.dcm", "examples_ybr_color.dcm"),
    "xa-multi-frame": ("xa/philips-cath-75f.dcm", "examples_ybr_color.dcm"),
    "htj2k-colour": ("us/us1-htj2k*", "examples_rgb_color.dcm"),
}


@dataclass
class Opened:
    """A signed-in page, and what went wrong on it."""

    page: Page
    web: str
    studies: dict[str, str]  # kind → Study Instance UID
    wrong: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def look(self) -> np.ndarray:
        """The picture as the browser shows it."""
        shot = self.page.locator(CANVAS).first.screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)

    def await_picture(self, limit: float = 40) -> np.ndarray:
        """The picture once there is something to see, and the same twice."""
        self.page.locator(CANVAS).first.wait_for(timeout=limit * 1000)
        end = time.monotonic() + limit
        before = self.look()
        while time.monotonic() < end:
            self.page.wait_for_timeout(400)
            now = self.look()
            if now.std() > 10 and now.shape == before.shape and np.array_equal(now, before):
                return now
            before = now
        self.page.screenshot(path=ARTIFACTS / "ohif-blank.png")
        raise AssertionError(f"nothing to see; {self.wrong}")

    def await_change(self, before: np.ndarray, limit: float = 10) -> None:
        """Wait until the picture is another one."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            now = self.look()
            if now.shape == before.shape and np.abs(now - before).mean() > 0.2:
                return
            self.page.wait_for_timeout(200)
        raise AssertionError("the picture did not change")


@pytest.fixture(scope="module")
def opened(
    module_archive: RunningArchive,
    corpus_files: Callable[[str], list[Path]],
    pydicom_file: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Opened]:
    """A browser, signed in to an archive that holds one study of each kind."""
    path = shutil.which("chromium")
    assert path, "chromium is missing: apt-get install chromium"
    link = module_archive.start()
    files = {kind: corpus_files(pattern) or [pydicom_file(name)] for kind, (pattern, name) in KINDS.items()}
    if len(files["ct-series"]) == 1:
        files["ct-series"] = series_of(files["ct-series"][0], tmp_path_factory.mktemp("series"))
    sent = {str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID): p for some in files.values() for p in some}
    list(send(list(sent.values()), host="127.0.0.1", port=module_archive.dicom_port, calling="TEST", called="PACS"))
    with module_archive.client() as http:
        module_archive.wait_for(lambda: len(stored_instances(http)) == len(sent), 120)
    studies = {kind: str(pydicom.dcmread(f[0], stop_before_pixels=True).StudyInstanceUID) for kind, f in files.items()}
    ARTIFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        one = Opened(page, module_archive.web, studies)

        def note(request: Request) -> None:
            if not request.url.startswith((module_archive.web, "blob:", "data:")):
                one.elsewhere.append(request.url)

        page.on("console", lambda m: one.wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: one.wrong.append(str(error)))
        page.on("request", note)
        page.goto(link)
        yield one
        browser.close()


def series_of(path: Path, folder: Path) -> list[Path]:
    """Four slices made of one, each turned a little further, for where the corpus is absent."""
    files = []
    for number in range(4):
        data_set = pydicom.dcmread(path)
        data_set.InstanceNumber = number + 1
        data_set.ImagePositionPatient[2] += 5 * number
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data_set.PixelData = np.rot90(data_set.pixel_array, number).tobytes()
        files.append(folder / f"{number}.dcm")
        data_set.save_as(files[-1])
    return files


@pytest.mark.parametrize("kind", KINDS)
def test_the_study_page_leads_to_ohif_and_ohif_shows_the_picture(opened: Opened, kind: str) -> None:
    """One click from the study page: the canvas is not blank, the wheel or a drag changes it, the console is clean."""
    opened.wrong.clear()
    page = opened.page
    page.goto(f"{opened.web}/studies/{opened.studies[kind]}?lang=en")
    page.get_by_role("link", name="Open in OHIF").click(timeout=10_000)
    before = opened.await_picture()
    page.screenshot(path=ARTIFACTS / f"ohif-{kind}.png")
    box = page.locator(CANVAS).first.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    if kind in {"ct-series", "ultrasound-clip", "xa-multi-frame"}:
        for _ in range(3):
            page.mouse.wheel(0, 120)
            page.wait_for_timeout(150)
    else:  # one image: the window, by the tool that OHIF starts with
        page.mouse.down()
        page.mouse.move(x + 120, y + 60, steps=6)
        page.mouse.up()
    opened.await_change(before)
    page.screenshot(path=ARTIFACTS / f"ohif-{kind}-changed.png")
    assert opened.wrong == []


def test_ohif_runs_isolated_asks_nobody_else_and_leaves_no_service_worker(opened: Opened) -> None:
    """SharedArrayBuffer is there; no font, script or count goes to another site; our pages stay ours."""
    page = opened.page
    page.goto(f"{opened.web}/viewer?StudyInstanceUIDs={opened.studies['ct-series']}&lng=vi")
    opened.await_picture()
    assert page.evaluate("self.crossOriginIsolated") is True
    assert page.evaluate("typeof SharedArrayBuffer") == "function"
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
    assert page.evaluate("document.cookie + JSON.stringify(localStorage)").count("vi") > 0, "in the language asked for"
    assert opened.elsewhere == []


def test_a_stranger_is_led_to_sign_in(opened: Opened) -> None:
    """OHIF's page is for those who are signed in; its files hold nobody's data."""
    browser = opened.page.context.browser
    assert browser
    page = browser.new_page()
    page.goto(f"{opened.web}/viewer?StudyInstanceUIDs=1.2.3")
    assert page.url.endswith("/sign-in")
    page.close()
