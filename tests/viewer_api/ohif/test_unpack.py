import io
import tarfile
from pathlib import Path

import pytest

from viewer_api.ohif.unpack import MENDS, check, is_wanted, main, mended


def test_a_package_that_is_not_the_pinned_one_never_reaches_the_disk(tmp_path: Path) -> None:
    """One changed byte anywhere stops set-up, and what was installed stays."""
    package = tmp_path / "ohif.tgz"
    with tarfile.open(package, "w:gz") as tar:
        member = tarfile.TarInfo("package/dist/app.js")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    folder = tmp_path / "ohif"
    with pytest.raises(SystemExit, match="not the pinned one"):
        main(package, folder)
    assert not folder.exists()


def test_the_digest_is_that_of_subresource_integrity() -> None:
    """The form in which npm writes and prints it."""
    check(b"", "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("index.html", True),
        ("assets/favicon.ico", True),
        ("0ddf166f7a343eda.wasm", True),
        ("ort/ort.min.js", False),
        ("app.js.map", False),
        ("sw.js", False),
        ("google.js", False),
        ("../outside.js", False),
        ("assets/../../outside.js", False),
        ("/etc/passwd", False),
    ],
)
def test_what_is_kept(name: str, *, kept: bool) -> None:
    """What browsers ask for, and nothing that leads out of the folder."""
    assert is_wanted(name) is kept


def test_a_mend_that_no_longer_fits_stops_set_up() -> None:
    """A new release is looked at by a person before its defects are believed gone."""
    ((start, wrong, right),) = MENDS
    assert mended(f"{start}1.js", b"a" + wrong + b"b") == b"a" + right + b"b"
    assert mended("other.js", wrong) == wrong
    with pytest.raises(SystemExit):
        mended(f"{start}1.js", b"nothing of the kind")
