"""The archive behind nginx, with the configuration that we hand out."""

import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import Response, StreamingResponse

from tests.acceptance.conftest import free_port
from tests.viewer_api.conftest import Site, serving
from viewer_api.app import create_app

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
MAIN = """
pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/pacs.conf;
}}
"""
released = threading.Event()


def slow() -> Response:
    """Two pieces, the second only when the first has been seen."""

    def pieces() -> Iterator[bytes]:
        yield b"first"
        released.wait(20)
        yield b"second"

    return StreamingResponse(pieces(), media_type="application/octet-stream")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where nginx writes."""
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def proxied(filled: Site, folder: Path) -> Iterator[httpx.Client]:
    """An HTTP/2 client of nginx in front of the real application; a missing nginx fails the run loudly."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "nginx is missing: apt-get install nginx-light"
    https, http = free_port(), free_port()
    make_certificate(folder)
    app = create_app(filled.settings, filled.archive, filled.spool, filled.access)
    app.add_api_route("/slow", slow)
    with serving(app) as address:
        ours = {
            "listen 443 ": f"listen 127.0.0.1:{https} ",
            "listen 80;": f"listen 127.0.0.1:{http};",
            "127.0.0.1:8080": address.removeprefix("http://"),
            "/etc/ssl/certs/pacs.pem": f"{folder}/pacs.pem",
            "/etc/ssl/private/pacs.key": f"{folder}/pacs.key",
            "/var/log/nginx/pacs.log": f"{folder}/access.log",
        }
        text = CONFIGURATION.read_text()
        for there, here in ours.items():
            assert there in text
            text = text.replace(there, here)
        (folder / "pacs.conf").write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        process = subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"])
        trust = ssl.create_default_context(cafile=str(folder / "pacs.pem"))
        token = filled.client().headers["Authorization"]
        try:
            with httpx.Client(
                base_url=f"https://localhost:{https}", http2=True, verify=trust, headers={"Authorization": token}
            ) as client:
                await_answer(client, process)
                yield client
        finally:
            process.terminate()
            process.wait(20)


def make_certificate(folder: Path) -> None:
    """A certificate of our own for localhost."""
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "pacs.key", "-out", "pacs.pem"]
    subprocess.run([*request.split(), *names], cwd=folder, check=True, capture_output=True)


def await_answer(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Wait until nginx and the application answer."""
    for _ in range(100):
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None
        time.sleep(0.1)
    pytest.fail("nginx does not answer")


def first_of(client: httpx.Client, modality: str) -> str:
    """The path of the first instance of a modality."""
    (found, *_) = client.get("/dicom-web/instances", params={"Modality": modality}).json()
    address: str = found["00081190"]["Value"][0]
    return address


def test_it_speaks_http_2_and_addresses_are_those_that_the_client_used(proxied: httpx.Client) -> None:
    """Retrieve URLs carry https and the port of the proxy, so that they can be followed."""
    answer = proxied.get("/dicom-web/studies")
    assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
    assert all(item["00081190"]["Value"][0].startswith(str(proxied.base_url)) for item in answer.json())
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"]), "named by nginx"


def test_ranges_pass(proxied: httpx.Client) -> None:
    """A part of a frame is 206 with Content-Range, and equals that part of the whole."""
    path = first_of(proxied, "CT") + "/frames/1"
    accept = {"Accept": "application/octet-stream; transfer-syntax=*"}
    whole = proxied.get(path, headers=accept)
    part = proxied.get(path, headers={**accept, "Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(whole.content)}"
    assert proxied.get(path, headers={**accept, "If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_answers_are_not_held_back(proxied: httpx.Client) -> None:
    """The first piece of a stream arrives before the last is made."""
    released.clear()
    with proxied.stream("GET", "/slow") as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        released.set()
        assert b"".join(pieces) == b"second"


def test_bodies_of_any_size_are_let_through(
    proxied: httpx.Client, pydicom_file: Callable[[str], Path], filled: Site
) -> None:
    """Three megabytes, thrice nginx' default limit, reach STOW-RS; what it refuses, it refuses in its own words."""
    padding = b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n" + b"x" * 3_000_000
    content = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    answer = proxied.post("/dicom-web/studies", content=padding + b"\r\n--b--\r\n", headers=content)
    assert (answer.status_code, answer.headers["Content-Type"]) == (409, "application/dicom+json")


def test_the_log_of_the_proxy_names_no_patient(proxied: httpx.Client, folder: Path) -> None:
    """Search terms stay out of it, the name of the request is in it."""
    name = proxied.get("/dicom-web/studies", params={"PatientName": "Nguyen*"}).headers["X-Request-ID"]
    for _ in range(50):
        lines = [line for line in (folder / "access.log").read_text().splitlines() if name in line]
        if lines:
            break
        time.sleep(0.1)
    assert "/dicom-web/studies 200" in lines[0]
    assert "Nguyen" not in lines[0]
