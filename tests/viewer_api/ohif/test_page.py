from pathlib import Path

import httpx
import pytest

from tests.viewer_api.conftest import Site
from viewer_api.ohif.page import FOLDER, files_of, page_of

BUNDLE = next((name for name in files_of(FOLDER) if name.startswith("app.bundle.") and name.endswith(".js")), "")


def test_ohif_is_installed_without_what_we_leave_out() -> None:
    """Set-up has put it there: the page and its script, no ONNX, no source map, no service worker, 20 MB at most."""
    files = files_of(FOLDER)
    assert BUNDLE, "OHIF is not installed: make setup"
    assert not [n for n in files if n.startswith(("ort/", "customizations/")) or n.endswith(".map") or "sw.js" in n]
    assert sum(file.path.stat().st_size for file in files.values()) < 20_000_000


def test_the_page_needs_a_session_and_has_a_policy_of_its_own(filled: Site) -> None:
    """Inline scripts run by digest alone; there is no eval on the page, no manifest and no service worker in it."""
    assert filled.client(signed_in=False).get("/viewer").status_code == 401
    answer = filled.client().get("/viewer?StudyInstanceUIDs=1.2.3")
    assert answer.status_code == 200
    script = next(d for d in answer.headers["Content-Security-Policy"].split("; ") if d.startswith("script-src"))
    assert "'sha256-" in script
    assert "'wasm-unsafe-eval'" in script
    assert "'unsafe-eval'" not in script
    assert "'unsafe-inline'" not in script
    assert "service-worker" not in answer.text
    assert 'rel="manifest"' not in answer.text
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_our_own_pages_keep_their_strict_policy(filled: Site) -> None:
    """What OHIF needs is for OHIF alone."""
    policy = filled.client().get("/", headers={"Accept": "text/html"}).headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "worker-src" not in policy


def test_files_whose_name_has_a_digest_are_kept_for_ever_and_others_asked_about(filled: Site) -> None:
    """A new release never shows old code, and nothing is fetched twice."""
    client = filled.client(signed_in=False)
    bundle = client.get(f"/{BUNDLE}")
    assert bundle.status_code == 200
    assert bundle.headers["Content-Encoding"] == "gzip"
    assert "immutable" in bundle.headers["Cache-Control"]
    config = client.get("/app-config.js")
    assert (config.headers["Cache-Control"], config.headers["Content-Type"][:15]) == (
        "public, no-cache",
        "text/javascript",
    )
    again = client.get("/app-config.js", headers={"If-None-Match": config.headers["ETag"]})
    assert again.status_code == 304


def test_a_client_without_gzip_gets_the_same_file(filled: Site) -> None:
    """What is kept compressed is unpacked for those who cannot."""
    client = filled.client(signed_in=False)
    plain = client.get("/app.bundle.css", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.content == client.get("/app.bundle.css").content


@pytest.mark.parametrize(
    "path",
    [
        "/sw.js",
        "/init-service-worker.js",
        "/index.html",
        "/ort/ort.min.js",
        "/assets/../page.py",
        "/assets/%2e%2e/%2e%2e/.installed",
    ],
)
def test_only_known_names_are_files(filled: Site, path: str) -> None:
    """No path can be made up, and what we left out is not there."""
    assert httpx.get(httpx.URL(filled.address, raw_path=path.encode())).status_code == 404


def test_without_ohif_the_rest_works(tmp_path: Path) -> None:
    """An empty folder has no files, and a page's scripts get their digests whatever they are."""
    assert files_of(tmp_path) == {}
    html, policy = page_of(b'<script>1</script><link rel="manifest" href="/m"><script src="/a.js"></script>')
    assert html == b'<script>1</script><script src="/a.js"></script>'
    assert policy.count("'sha256-") == 1
