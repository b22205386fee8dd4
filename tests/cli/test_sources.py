import io
import zipfile
from pathlib import Path

import pytest

from pacs.cli import sources
from pacs.cli.sources import FileSource, find_sources
from pacs.errors import InvalidRequest, Unreadable


def content(source: FileSource) -> bytes:
    with source.open() as file:
        return file.read()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_folder_tree_is_walked_in_a_stable_order_without_directories_of_media(tmp_path: Path) -> None:
    """Every file below a folder is a candidate, sorted; DICOMDIR and the like are not."""
    for name in ("b/2", "b/1", "a/9", "DICOMDIR", "b/Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert [content(source) for source in find_sources([tmp_path])] == [b"a/9", b"b/1", b"b/2"]


def test_members_of_a_zip_are_streams_beside_plain_files(tmp_path: Path) -> None:
    """A ZIP in a folder gives its members, nothing is extracted, and a hostile name is only a name."""
    (tmp_path / "in").mkdir()
    zipped(tmp_path / "in" / "x.zip", {"../../escape": b"one", "study/DICOMDIR": b"", "study/2": b"two"})
    (tmp_path / "in" / "y").write_bytes(b"three")
    found = list(find_sources([tmp_path / "in"]))
    assert [content(source) for source in found] == [b"one", b"two", b"three"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["x.zip", "y"]


def test_an_archive_that_inflates_beyond_bounds_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ZIP bomb is refused by what its directory says, before a byte is inflated."""
    monkeypatch.setattr(sources, "FREE_INFLATION", 1000)
    bomb = zipped(tmp_path / "bomb.zip", {"zeros": bytes(10_000_000)})
    with pytest.raises(InvalidRequest, match="would inflate to 10000000 bytes"):
        list(find_sources([bomb]))


def test_a_member_that_says_less_than_it_holds_gives_no_more_than_it_said(tmp_path: Path) -> None:
    """A directory that lies about a size is caught while reading, not after filling the disk."""
    path = zipped(tmp_path / "liar.zip", {"x": b"A" * 5000})
    data = path.read_bytes().replace((5000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(data)
    (source,) = find_sources([path])
    with pytest.raises(Unreadable, match="damaged ZIP member"):
        content(source)


def test_an_encrypted_member_is_unreadable(tmp_path: Path) -> None:
    """A member that needs a password is refused alone, with the reason."""
    path = zipped(tmp_path / "locked.zip", {"x": b"secret"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    (source,) = find_sources([path])
    with pytest.raises(Unreadable, match="encrypted"):
        content(source)


def test_members_with_the_same_name_are_both_found(tmp_path: Path) -> None:
    """Two members may share a name; each is read as itself."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("x", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x", b"two")
    (tmp_path / "twice.zip").write_bytes(target.getvalue())
    assert [content(source) for source in find_sources([tmp_path / "twice.zip"])] == [b"one", b"two"]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A mistyped path stops the command before anything is filed."""
    with pytest.raises(InvalidRequest, match="neither a file nor a folder"):
        list(find_sources([tmp_path / "nowhere"]))
