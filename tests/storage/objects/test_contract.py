import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pacs.errors import Damaged, InvalidRequest, NotFound, Unavailable
from storage.objects import PART_SIZE, ObjectStore, open_objects

if TYPE_CHECKING:
    from tests.conftest import S3Endpoint


class ObjectStoreContract:
    """What the archive relies on, whatever keeps the objects."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        """Give an empty store that can be used."""
        raise NotImplementedError

    def test_bytes_come_back(self, store: ObjectStore) -> None:
        """What was put is read back, whole and in ranges, and its size is known."""
        store.put("packs/ab/one.zip", b"0123456789")
        assert store.read("packs/ab/one.zip", 0, 10) == b"0123456789"
        assert store.read("packs/ab/one.zip", 3, 4) == b"3456"
        assert store.read("packs/ab/one.zip", 9, 1) == b"9"
        assert store.size("packs/ab/one.zip") == 10

    def test_empty_object_and_empty_range(self, store: ObjectStore) -> None:
        """Nothing is a possible content, and a possible range up to the very end."""
        store.put("empty", b"")
        assert store.size("empty") == 0
        assert store.read("empty", 0, 0) == b""
        store.put("ten", b"0123456789")
        assert store.read("ten", 10, 0) == b""

    @pytest.mark.parametrize(("offset", "length"), [(0, 11), (9, 2), (10, 1), (500, 1), (11, 0)])
    def test_a_range_past_the_end(self, store: ObjectStore, offset: int, length: int) -> None:
        """A range that isn't all within the object is Damaged, never a short answer."""
        store.put("ten", b"0123456789")
        with pytest.raises(Damaged):
            store.read("ten", offset, length)

    def test_a_missing_object(self, store: ObjectStore) -> None:
        """An object that isn't there is NotFound, also where its name is the beginning of another's."""
        store.put("packs/ab/one.zip", b"1")
        for key in ("nothing", "packs/ab", "packs/ab/two.zip", "elsewhere/one.zip"):
            for length in (0, 1):
                with pytest.raises(NotFound):
                    store.read(key, 0, length)
            with pytest.raises(NotFound):
                store.size(key)

    def test_delete_twice(self, store: ObjectStore) -> None:
        """Deleting is final, and fine when there is nothing to delete."""
        store.put("one", b"1")
        store.delete("one")
        store.delete("one")
        store.delete("never/there")
        with pytest.raises(NotFound):
            store.size("one")

    def test_put_twice(self, store: ObjectStore, tmp_path: Path) -> None:
        """The same key again, with bytes or with the same file, replaces the object."""
        path = tmp_path / "file"
        path.write_bytes(b"of a file")
        store.put("one", b"first")
        store.put("one", b"second")
        assert store.read("one", 0, 6) == b"second"
        store.put_file("one", path)
        store.put_file("one", path)
        assert store.read("one", 0, 9) == b"of a file"
        assert [found.key for found in store.listing()] == ["one"]

    def test_a_large_file_goes_in_parts(self, store: ObjectStore, tmp_path: Path) -> None:
        """A file larger than one part arrives whole, and the file itself stays."""
        content = os.urandom(1024 * 1024)
        size = 2 * PART_SIZE + 4321
        path = tmp_path / "large"
        path.write_bytes((content * (size // len(content) + 1))[:size])
        store.put_file("packs/large.zip", path)
        assert store.size("packs/large.zip") == path.stat().st_size == size
        for offset in (0, PART_SIZE - 10, 2 * PART_SIZE - 1, size - 100):
            with path.open("rb") as file:
                file.seek(offset)
                assert store.read("packs/large.zip", offset, 100) == file.read(100)

    def test_keys_by_prefix(self, store: ObjectStore) -> None:
        """A prefix is the first characters of a key, not a folder; a listing knows size and age."""
        for key in ("packs/aa/1", "packs/aa/2", "packs/ab/3", "conflicts/aa/4", "pack"):
            store.put(key, key.encode())
        assert set(store.keys("packs/")) == {"packs/aa/1", "packs/aa/2", "packs/ab/3"}
        assert set(store.keys("packs/a")) == {"packs/aa/1", "packs/aa/2", "packs/ab/3"}
        assert set(store.keys("packs/aa/")) == {"packs/aa/1", "packs/aa/2"}
        assert set(store.keys("pack")) == {"pack", "packs/aa/1", "packs/aa/2", "packs/ab/3"}
        assert set(store.keys("nothing/")) == set()
        assert len(list(store.keys())) == 5
        [found] = store.listing("packs/ab/")
        assert found.size == 10
        assert abs(found.modified - time.time()) < 60

    def test_more_keys_than_a_page(self, store: ObjectStore) -> None:
        """A listing doesn't end after the 1,000 keys that S3 gives at once."""
        keys = {f"many/{number:04d}" for number in range(1100)}
        for key in keys:
            store.put(key, b"x")
        assert sorted(store.keys("many/")) == sorted(keys)

    @pytest.mark.parametrize(
        "key", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".tmp/x", "tên", "a\nb", "a b"]
    )
    def test_what_is_not_a_key(self, store: ObjectStore, key: str) -> None:
        """Keys that could lead elsewhere, or that stores disagree on, are refused by all."""
        for attempt in (
            lambda: store.put(key, b""),
            lambda: store.read(key, 0, 1),
            lambda: store.size(key),
            lambda: store.delete(key),
        ):
            with pytest.raises(InvalidRequest):
                attempt()

    def test_ready(self, store: ObjectStore) -> None:
        """A store that can be used says so, again and again."""
        store.check()
        store.check()


class TestFolder(ObjectStoreContract):
    """A local folder keeps the contract."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        """Give a folder that doesn't exist yet."""
        return open_objects(f"file://{tmp_path}/objects")

    def test_local_path(self, store: ObjectStore) -> None:
        """The folder gives the file itself, so that readers need no cache."""
        store.put("packs/one", b"1")
        path = store.local_path("packs/one")
        assert path is not None
        assert path.read_bytes() == b"1"
        with pytest.raises(NotFound):
            store.local_path("packs/two")

    def test_nothing_temporary_stays(self, store: ObjectStore, tmp_path: Path) -> None:
        """After puts of every kind no temporary file is left."""
        path = tmp_path / "file"
        path.write_bytes(b"1")
        store.put("one", b"1")
        store.put_file("one", path)
        store.put_file("one", path)
        assert list((tmp_path / "objects" / ".tmp").iterdir()) == []

    def test_another_file_system(self, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that cannot be linked is copied."""

        def refuse(*_: object) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        path = tmp_path / "file"
        path.write_bytes(b"0123456789" * 300_000)
        monkeypatch.setattr(os, "link", refuse)
        store.put_file("one", path)
        assert store.read("one", 0, 3_000_000) == path.read_bytes()
        path.write_bytes(b"")
        assert store.size("one") == 3_000_000

    def test_durable_before_it_returns(
        self, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Data is synced before the name appears, and the name, with every new folder above it, before put returns."""
        calls: list[str] = []
        real_data, real_folder, real_rename = os.fdatasync, os.fsync, os.rename

        def data(descriptor: int) -> None:
            calls.append("data")
            real_data(descriptor)

        def folder(descriptor: int) -> None:
            calls.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
            real_folder(descriptor)

        def rename(old: Path, new: Path) -> None:
            calls.append("rename")
            real_rename(old, new)

        monkeypatch.setattr(os, "fdatasync", data)
        monkeypatch.setattr(os, "fsync", folder)
        monkeypatch.setattr(os, "rename", rename)
        store.put("packs/ab/one", b"1")
        assert {".", "objects", "objects/packs"} <= set(calls[: calls.index("data")])
        assert calls[calls.index("data") :][:3] == ["data", "rename", "objects/packs/ab"]

    def test_what_a_crash_left(self, store: ObjectStore, tmp_path: Path) -> None:
        """Half an object is never an object, and the check leaves young ones to whoever is writing them."""
        store.put("one", b"1")
        (tmp_path / "objects/.tmp/1-young").write_bytes(b"half")
        store.check()
        assert list(store.keys()) == ["one"]
        assert (tmp_path / "objects/.tmp/1-young").exists()

    def test_a_file_that_vanishes(self, tmp_path: Path) -> None:
        """A file that vanishes while it is put is Unavailable, and no object appears."""
        store = open_objects(f"file://{tmp_path}/objects")
        with pytest.raises(Unavailable):
            store.put_file("one", tmp_path / "nowhere")
        assert list(store.keys()) == []


class TestMinioSdk(ObjectStoreContract):
    """The MinIO SDK against a real S3 keeps the contract."""

    @pytest.fixture
    def store(self, s3_endpoint: "S3Endpoint") -> ObjectStore:
        """Give a new bucket."""
        return open_objects(s3_endpoint.minio_url(s3_endpoint.new_bucket()))


class TestBoto3(ObjectStoreContract):
    """Boto3 against a real S3 keeps the contract."""

    @pytest.fixture
    def store(self, s3_endpoint: "S3Endpoint", aws_keys: None) -> ObjectStore:  # noqa: ARG002  # taken for its effect
        """Give a new bucket, with the keys where boto3 looks for them."""
        return open_objects(s3_endpoint.s3_url(s3_endpoint.new_bucket()))
