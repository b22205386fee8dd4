from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pacs.codecs.htj2k import decode_htj2k, encode_htj2k
from pacs.dataset import identify, read_data_set
from pacs.dataset.json import instance_json
from pacs.file_meta import read_file_meta
from pacs.model import Source
from pacs.transcode import compress, restore
from storage.spool import Spool

Measure = Callable[..., None]


@pytest.fixture
def part10(pydicom_file: Callable[[str], Path]) -> bytes:
    return pydicom_file("CT_small.dcm").read_bytes()


@pytest.fixture
def syntax(part10: bytes) -> str:
    return read_file_meta(part10).transfer_syntax_uid


@pytest.fixture
def received(part10: bytes) -> memoryview:
    return memoryview(part10)[read_file_meta(part10).data_set_offset :]


def test_read_a_header(measure: Measure, received: memoryview, syntax: str) -> None:
    """The whole header of a CT instance is parsed."""
    measure(lambda: read_data_set(received, syntax))


def test_write_its_json(measure: Measure, received: memoryview, syntax: str) -> None:
    """Its DICOM JSON is written."""
    data_set = read_data_set(received, syntax)
    measure(lambda: instance_json(data_set, bulk_data_root="x"))


def test_compress_and_prove(measure: Measure, received: memoryview, syntax: str) -> None:
    """It is compressed and proved."""
    identity = identify(read_data_set(received, syntax))
    measure(lambda: compress(received, syntax, identity, Source()), size=len(received))


def test_restore(measure: Measure, received: memoryview, syntax: str) -> None:
    """The received data set comes back."""
    stored = compress(received, syntax, identify(read_data_set(received, syntax)), Source())
    measure(lambda: restore(stored.part10, stored.envelope, stored.before, syntax), size=len(received))


@pytest.mark.parametrize("reduce", [0, 2])
def test_decode_a_slice(measure: Measure, reduce: int) -> None:
    """A 512 × 512 slice is decoded, whole and at a quarter of its size."""
    rows, columns = np.mgrid[0:512, 0:512]
    samples = (1000 + 400 * np.sin(rows / 20) * np.cos(columns / 30)).astype(np.uint16)
    codestream = encode_htj2k(samples, precision=12, rgb=False)
    measure(lambda: decode_htj2k(codestream, reduce=reduce), size=samples.nbytes)


def test_keep_what_is_received(measure: Measure, received: memoryview, syntax: str, tmp_path: Path) -> None:
    """An instance is on disk, synced, as before every C-STORE success."""
    spool = Spool(tmp_path, free_floor=0)

    def store() -> None:
        incoming = spool.begin(
            "default", sop_class_uid="", sop_instance_uid="", transfer_syntax_uid=syntax, source=Source()
        )
        incoming.write(received)
        incoming.finish()

    measure(store, size=len(received))
