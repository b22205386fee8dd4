import logging

import httpx
import pytest

from tests.viewer_api.conftest import Site, serving
from viewer_api.app import create_app
from viewer_api.request_ids import NamingFormatter, name_of


def test_a_name_that_a_proxy_gave_comes_back(filled: Site) -> None:
    """One search finds the request in the logs of the proxy and of the archive."""
    answer = filled.client().get("/dicom-web/studies", headers={"X-Request-ID": "proxy-7.1_a"})
    assert answer.headers["X-Request-ID"] == "proxy-7.1_a"


def test_every_answer_has_a_name_of_its_own(filled: Site) -> None:
    """Pages, problems and files alike; two requests are never mixed up."""
    names = [httpx.get(f"{filled.address}{path}").headers["X-Request-ID"] for path in ("/healthz", "/no", "/sign-in")]
    assert len(set(names)) == 3


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "name\nERROR forged", "é", "<script>"])
def test_a_name_that_could_forge_a_log_line_is_replaced(sent: str) -> None:
    """Only plain, short names are taken over."""
    assert name_of(sent) != sent
    assert len(name_of(sent)) == 32


def test_what_a_request_causes_is_logged_with_its_name(filled: Site) -> None:
    """A line written in the thread that works for the request carries the request's name."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Kept()
    handler.setFormatter(NamingFormatter("%(levelname)s %(message)s"))
    logging.getLogger("viewer_api").addHandler(handler)

    def unforeseen() -> None:
        raise RuntimeError("Nguyễn Văn A")

    app = create_app(filled.settings, filled.archive, filled.spool, filled.access)
    app.add_api_route("/unforeseen", unforeseen)
    with serving(app) as address:
        answer = httpx.get(f"{address}/unforeseen", headers={"X-Request-ID": "named-by-proxy"})
    logging.getLogger("viewer_api").removeHandler(handler)
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] == "named-by-proxy"
    assert answer.headers["X-Content-Type-Options"] == "nosniff", "also around the unforeseen"
    assert "Nguyễn" not in answer.text
    assert lines
    assert lines[0].splitlines()[0].endswith("[named-by-proxy]")
