from collections.abc import Callable
from pathlib import Path

from pacs.cli.demo import sample_images
from pacs.cli.dry_run import summary, try_one, verdict_table
from pacs.cli.sources import FileSource, find_sources


def test_a_native_image_is_tried_and_restored(pydicom_file: Callable[[str], Path]) -> None:
    """A native CT becomes HTJ2K, smaller, and comes back byte for byte."""
    path = pydicom_file("CT_small.dcm")
    trial = try_one(FileSource(path, path.stat().st_size))
    assert (trial.verdict, trial.native_image, trial.exact) == ("htj2k", True, True)
    assert trial.stored < trial.received


def test_what_is_no_instance_is_a_row_not_an_error(tmp_path: Path) -> None:
    """A text file among the images is counted as refused."""
    (tmp_path / "notes.txt").write_text("not an instance")
    (source,) = find_sources([tmp_path])
    assert try_one(source).verdict == "refused"


def test_everything_of_pydicom_is_restored_byte_for_byte(pydicom_file: Callable[[str], Path]) -> None:
    """All of pydicom's own files that can be identified are restored exactly, whatever was decided for them."""
    trials = [try_one(source) for source in find_sources([pydicom_file("CT_small.dcm").parent])]
    assert len([trial for trial in trials if trial.verdict != "refused"]) > 100
    assert summary(trials)[-1].endswith("(100.0%)")
    assert verdict_table(trials).row_count > 3


def test_the_demo_has_some_dozens_of_whole_images() -> None:
    """What `pacs demo` sends are images of pydicom's wheel, none twice, enough to look at."""
    images = sample_images()
    assert 24 < len(images) < 200
    assert {"CT_small.dcm", "examples_palette.dcm"} <= {path.name for path in images}
    assert "MR_truncated.dcm" not in {path.name for path in images}
