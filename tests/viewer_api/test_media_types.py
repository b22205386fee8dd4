import pytest

from pacs.errors import NotAcceptable
from viewer_api.media_types import acceptable, choose, parse_media_type


@pytest.mark.parametrize(
    "header",
    [
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
        "multipart/related;type=application/octet-stream;transfer-syntax=*",
        'Multipart/Related; Type="application/octet-stream"; Transfer-Syntax=*; q=0.9',
    ],
)
def test_parameters_mean_the_same_quoted_and_unquoted(header: str) -> None:
    """Viewers send parameters with and without quotes, and both are understood alike."""
    (found,) = acceptable([header])
    assert found.multipart
    assert found.root_type == "application/octet-stream"
    assert found.transfer_syntax == "*"


def test_several_values_and_headers_are_ordered_by_weight() -> None:
    """The best range comes first, equal ones stay in the order sent, and q=0 forbids."""
    found = acceptable(['text/html;q=0.2, image/png; q=0.8 , image/jpeg;q="0.8"', "image/webp, image/gif;q=0"])
    assert [r.media_type for r in found] == ["image/webp", "image/png", "image/jpeg", "text/html"]


def test_a_comma_within_quotes_does_not_split() -> None:
    """Quoted text may hold separators."""
    first, second = acceptable(['multipart/related; type="a,b;c", */*;q=0.1'])
    assert first.root_type == "a,b;c"
    assert second.media_type == "*/*"


@pytest.mark.parametrize("headers", [[], [""], ["   "]])
def test_no_header_accepts_anything(headers: list[str]) -> None:
    """A request without Accept takes whatever there is."""
    assert acceptable(headers)[0].covers("image/png")


def test_choose_takes_the_clients_order_and_refuses_by_name() -> None:
    """The client's best range decides; a refusal says what could be had."""
    offers = ("image/jpeg", "image/png")
    assert choose(acceptable(["image/png, image/jpeg;q=0.5"]), offers) == "image/png"
    assert choose(acceptable(["image/*"]), offers) == "image/jpeg"
    with pytest.raises(NotAcceptable, match="image/jpeg, image/png"):
        choose(acceptable(["text/html"]), offers)


def test_content_type_is_taken_apart() -> None:
    """A Content-Type gives its type and parameters."""
    kind, parameters = parse_media_type('multipart/related; boundary="a b"; type=application/dicom')
    assert (kind, parameters) == ("multipart/related", {"boundary": "a b", "type": "application/dicom"})
