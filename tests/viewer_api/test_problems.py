import json
from collections.abc import Iterator

import pytest
from starlette.requests import Request

from pacs.errors import ArchiveError, NotFound
from viewer_api.problems import STATUS, UNEXPECTED, of_anything, of_archive


def subclasses(kind: type[ArchiveError]) -> Iterator[type[ArchiveError]]:
    for child in kind.__subclasses__():
        if child.__module__ == "pacs.errors":
            yield child
            yield from subclasses(child)


def request(accept: str = "*/*", path: str = "/dicom-web/studies") -> Request:
    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"accept", accept.encode())]}
    return Request({**scope, "query_string": b"", "server": ("archive", 80), "scheme": "http"})


def test_the_table_is_total() -> None:
    """Every error of the tree has a status of its own."""
    assert set(STATUS) == {ArchiveError, *subclasses(ArchiveError)}


@pytest.mark.parametrize("kind", STATUS)
def test_an_error_leaves_with_its_own_sentence(kind: type[ArchiveError]) -> None:
    """A problem document carries the tree's sentence, its detail and its status."""
    response = of_archive(request(), kind("1.2.3"))
    body = json.loads(bytes(response.body))
    assert response.status_code == body["status"] == STATUS[kind]
    assert response.media_type == "application/problem+json"
    assert body["title"] == str(kind("1.2.3"))
    assert response.headers["cache-control"] == "no-store"


def test_an_unexpected_error_says_nothing_of_itself() -> None:
    """The text of a foreign exception may name a patient, so it stays in the log."""
    response = of_anything(request(), ValueError("NGUYEN^VAN A"))
    assert b"NGUYEN" not in bytes(response.body)
    assert UNEXPECTED.encode() in bytes(response.body)


def test_a_person_gets_a_page_in_plain_words() -> None:
    """A browser asking for a page is answered with one, in Vietnamese first."""
    response = of_archive(request("text/html,*/*", "/studies/1.2"), NotFound("1.2"))
    assert response.status_code == 404
    assert "Không có trang hoặc ca chụp này" in bytes(response.body).decode()
