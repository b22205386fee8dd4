import json

import pytest

from pacs.errors import Damaged
from pacs.manifest import manifest_json, parse_manifest
from pacs.model import ManifestEntry, Source

ENTRY = ManifestEntry(
    sop_instance_uid="1.2.3.4",
    study_instance_uid="1.2",
    series_instance_uid="1.2.3",
    digest="ab" * 32,
    received_at=1_700_000_000_123_456_789,
    received_size=524_288,
    received_transfer_syntax_uid="1.2.840.10008.1.2",
    transfer_syntax_uid="1.2.840.10008.1.2.4.202",
    verdict="htj2k",
    reason="",
    before=1234,
    frames=((1500, 20000), (21500, 19000)),
    source=Source("CT1", "CT1", "PACS", "192.0.2.7"),
)


def test_round_trip() -> None:
    """What is written is what is read, to the nanosecond."""
    assert parse_manifest(manifest_json([ENTRY])) == (ENTRY,)
    assert parse_manifest(manifest_json([])) == ()


def test_shape() -> None:
    """The text is an object with a version and the instances by their field names, so that scripts can rely on it."""
    value = json.loads(manifest_json([ENTRY]))
    assert value["version"] == 1
    assert value["instances"][0]["frames"] == [[1500, 20000], [21500, 19000]]
    assert value["instances"][0]["source"]["source_application_entity_title"] == "CT1"
    assert set(value["instances"][0]) == {field for field in ManifestEntry.__dataclass_fields__}  # noqa: C416  # a view


def test_newer_members_are_ignored() -> None:
    """A manifest with members that this version doesn't know is read all the same."""
    value = json.loads(manifest_json([ENTRY]))
    value["later"] = 1
    value["instances"][0]["later"] = {"a": 1}
    value["instances"][0]["source"]["later"] = "x"
    assert parse_manifest(json.dumps(value).encode()) == (ENTRY,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"version":2,"instances":[]}',
        b'{"version":1}',
        b'{"version":1,"instances":[{}]}',
        b'{"version":1,"instances":[1]}',
        manifest_json([ENTRY]).replace(b"[[1500", b'[["x"'),
        manifest_json([ENTRY]).replace(b'"received_size":524288', b'"received_size":"many"'),
    ],
)
def test_not_a_manifest(data: bytes) -> None:
    """Anything else is Damaged."""
    with pytest.raises(Damaged):
        parse_manifest(data)
