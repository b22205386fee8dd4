import hashlib
import io
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from pacs.dataset import identify, read_data_set
from pacs.errors import Damaged, InvalidRequest
from pacs.file_meta import read_file_meta
from pacs.model import Compressed, ManifestEntry
from storage.packs import PackFile, read_manifest, read_member, read_members, read_metadata, write_pack

NAMES = ("CT_small.dcm", "JPEG2000.dcm", "test-SR.dcm", "MR_small_bigendian.dcm")
Given = tuple[ManifestEntry, Compressed, bytes]


def given(part10: bytes, *, envelope: bytes | None = None) -> Given:
    """An instance as received, ready to be packed."""
    meta = read_file_meta(part10)
    identity = identify(read_data_set(part10[meta.data_set_offset :], meta.transfer_syntax_uid))
    entry = ManifestEntry(
        sop_instance_uid=identity.sop_instance_uid,
        study_instance_uid=identity.study_instance_uid,
        series_instance_uid=identity.series_instance_uid,
        digest=hashlib.sha256(part10[meta.data_set_offset :]).hexdigest(),
        received_at=1_700_000_000_000_000_000,
        received_size=len(part10) - meta.data_set_offset,
        received_transfer_syntax_uid=meta.transfer_syntax_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        verdict="as received",
        reason="a test",
        before=-1 if envelope is None else 10,
        frames=(),
    )
    compressed = Compressed(part10, meta.transfer_syntax_uid, envelope, entry.before, "as received", "a test")
    return entry, compressed, json.dumps({"00080018": {"vr": "UI", "Value": [identity.sop_instance_uid]}}).encode()


@pytest.fixture
def instances(pydicom_file: Callable[[str], Path]) -> list[Given]:
    """Four kinds of instances, the first with an envelope."""
    made = [given(pydicom_file(name).read_bytes()) for name in NAMES]
    first = given(made[0][1].part10, envelope=b"what stood around the pixels " * 50)
    return [first, *made[1:]]


@pytest.fixture
def pack(instances: list[Given], tmp_path: Path) -> PackFile:
    """A pack of them."""
    return write_pack(tmp_path / "pack.zip", instances)


def ranges(pack: PackFile) -> Callable[[int, int], bytes]:
    """Ranged reads of a pack, none of them past its end."""
    data = pack.path.read_bytes()

    def read(offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(data)
        return data[offset : offset + length]

    return read


def test_any_zip_program_opens_it(pack: PackFile, instances: list[Given]) -> None:
    """Python's own ZIP command tests it without complaint, and pydicom reads its members as they were."""
    run = subprocess.run([sys.executable, "-m", "zipfile", "-t", pack.path], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "Done testing"
    with zipfile.ZipFile(pack.path) as archive:
        assert archive.namelist()[:2] == ["pack.json", "metadata.json"]
        for entry, compressed, _ in instances:
            data = archive.read(f"{entry.sop_instance_uid}.dcm")
            assert data == compressed.part10
            assert pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID == entry.sop_instance_uid
        first = instances[0]
        assert archive.read(f"{first[0].sop_instance_uid}.received") == first[1].envelope


def test_same_input_same_bytes(pack: PackFile, instances: list[Given], tmp_path: Path) -> None:
    """Equal instances give an equal pack, hence the same key: storing it again is storing it once."""
    again = write_pack(tmp_path / "again.zip", instances)
    assert again.path.read_bytes() == pack.path.read_bytes()
    assert replace(again, path=pack.path) == pack
    other = write_pack(tmp_path / "other.zip", instances[:3])
    assert other.key != pack.key


def test_key_and_size(pack: PackFile, instances: list[Given], tmp_path: Path) -> None:
    """The key is the digest of the file; conflicts have a place of their own."""
    assert pack.digest == hashlib.sha256(pack.path.read_bytes()).hexdigest()
    assert pack.key == f"packs/{pack.digest[:2]}/{pack.digest}.zip"
    assert pack.size == pack.path.stat().st_size
    assert write_pack(tmp_path / "c.zip", instances, kind="conflicts").key.startswith("conflicts/")


def test_locations_are_exact(pack: PackFile, instances: list[Given]) -> None:
    """A location cuts exactly the member out of the pack, envelope included."""
    read = ranges(pack)
    for location, (_, compressed, _) in zip(pack.locations, instances, strict=True):
        data = read(location.member_offset, location.member_length)
        assert (zlib.decompress(data, -15) if location.deflated else data) == compressed.part10
        if compressed.envelope is None:
            assert (location.envelope_offset, location.envelope_length) == (-1, 0)
        else:
            envelope = read(location.envelope_offset, location.envelope_length)
            assert zlib.decompress(envelope, -15) == compressed.envelope


def test_what_is_deflated(pack: PackFile) -> None:
    """Compressed pixels stay as they are, however much they would shrink; a report is deflated."""
    assert dict(zip(NAMES, (location.deflated for location in pack.locations), strict=True)) == {
        "CT_small.dcm": True,  # kept as received, and smaller by more than a tenth
        "JPEG2000.dcm": False,
        "test-SR.dcm": True,
        "MR_small_bigendian.dcm": True,
    }


def test_not_worth_deflating(instances: list[Given], tmp_path: Path) -> None:
    """Noise is stored as it is, so that it can be read in parts."""
    entry, compressed, json_object = instances[0]
    noise = b"".join(hashlib.sha256(bytes([n, m])).digest() for n in range(256) for m in range(16))
    pack = write_pack(tmp_path / "noise.zip", [(entry, replace(compressed, part10=noise), json_object)])
    assert not pack.locations[0].deflated


def test_the_pack_alone_is_enough(pack: PackFile, instances: list[Given]) -> None:
    """Entries, metadata and places come back from the pack alone, as they were when it was written."""
    entries, objects, locations = read_manifest(ranges(pack), pack.size, pack.key)
    assert entries == tuple(entry for entry, _, _ in instances)
    assert objects == tuple(json.loads(one) for _, _, one in instances)
    assert locations == pack.locations


def test_metadata_is_ready_to_serve(pack: PackFile, instances: list[Given]) -> None:
    """The metadata member is one JSON array, and its objects can be taken singly without parsing."""
    assert read_metadata(ranges(pack), pack.metadata) == [one for _, _, one in instances]
    assert len(json.loads(read_member(ranges(pack), pack.metadata))) == len(instances)


def test_pretty_json_is_one_line_too(instances: list[Given], tmp_path: Path) -> None:
    """Objects with line breaks between their tokens still count as one each."""
    entry, compressed, json_object = instances[0]
    pretty = json.dumps({**json.loads(json_object), "00104000": {"vr": "LT", "Value": ["a,\nb"]}}, indent=1).encode()
    pack = write_pack(tmp_path / "p.zip", [(entry, compressed, pretty), instances[1]])
    first, second = read_metadata(ranges(pack), pack.metadata)
    assert json.loads(first) == json.loads(pretty)
    assert json.loads(second) == json.loads(instances[1][2])


def test_few_requests(instances: list[Given], tmp_path: Path) -> None:
    """Reading what a pack says takes few ranged reads, also of a pack with many members."""
    entry, compressed, json_object = instances[2]
    many = [(replace(entry, sop_instance_uid=f"1.2.{n}"), compressed, json_object) for n in range(500)]
    pack = write_pack(tmp_path / "many.zip", many)
    requests = []
    read = ranges(pack)

    def counted(offset: int, length: int) -> bytes:
        requests.append((offset, length))
        return read(offset, length)

    entries, _, _ = read_manifest(counted, pack.size, pack.key)
    assert len(entries) == 500
    assert len(requests) <= 4


def test_the_same_instance_twice(instances: list[Given], tmp_path: Path) -> None:
    """Two members of one name would hide each other, so there can be none."""
    with pytest.raises(InvalidRequest):
        write_pack(tmp_path / "p.zip", [instances[0], instances[0]])


@pytest.mark.parametrize("uid", ["../../etc/passwd", "a/b", "tên", "1.2 3", "pack.json", "C:\\x"])
def test_strange_uids(instances: list[Given], tmp_path: Path, uid: str) -> None:
    """Whatever a sender calls its instance, the member's name is plain, and it is found again."""
    entry, compressed, json_object = instances[0]
    pack = write_pack(tmp_path / "p.zip", [(replace(entry, sop_instance_uid=uid), compressed, json_object)])
    name = zipfile.ZipFile(pack.path).namelist()[2]
    assert name.isascii()
    assert not set(name) & set("/\\ :")
    entries, _, locations = read_manifest(ranges(pack), pack.size, pack.key)
    assert entries[0].sop_instance_uid == uid
    assert locations == pack.locations


def test_sizes_above_4_gib(instances: list[Given], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack that needs the ZIP64 fields has exact locations too (the limit is lowered for the test)."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 5000)
    pack = write_pack(tmp_path / "large.zip", instances)
    monkeypatch.undo()
    test_locations_are_exact(pack, instances)
    entries, _, locations = read_manifest(ranges(pack), pack.size, pack.key)
    assert len(entries) == 4
    assert locations == pack.locations
    with zipfile.ZipFile(pack.path) as archive:
        assert archive.testzip() is None


def test_damage_is_noticed(pack: PackFile) -> None:
    """A pack cut short, a changed byte in its JSON, or no pack at all is Damaged, never a crash or a wrong answer."""
    whole = pack.path.read_bytes()
    members = read_members(ranges(pack), pack.size)
    broken = bytearray(whole)
    broken[members["metadata.json"].offset + 20] ^= 0x55
    for data in (b"", b"x" * 1000, whole[: len(whole) // 2], whole[:-1], bytes(broken)):

        def read(offset: int, length: int, data: bytes = data) -> bytes:
            return data[offset : offset + length]

        with pytest.raises(Damaged):
            read_manifest(read, len(data), "packs/ab/ab.zip")
