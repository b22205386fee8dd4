from dataclasses import replace

import pytest

from pacs.errors import NotAcceptable
from pacs.model import Identity, Location, StoredInstance
from viewer_api.dicomweb.forms import Form, choose_frame, choose_instance
from viewer_api.media_types import acceptable

EXPLICIT, IMPLICIT, HTJ2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.202"
JPEG_LS = "1.2.840.10008.1.2.4.80"

OURS = StoredInstance(
    identity=Identity("1.2", "1.3", "1.4", "1.5"),
    transfer_syntax_uid=HTJ2K,
    received_transfer_syntax_uid=IMPLICIT,
    digest="00",
    received_size=1,
    stored_size=1,
    before=-1,
    instance_number=1,
    number_of_frames=1,
    rows=1,
    columns=1,
    frames=((0, 1),),
    location=Location("packs/00", 0, 1, deflated=False, envelope_offset=-1, envelope_length=0),
)
THEIRS = replace(OURS, transfer_syntax_uid=JPEG_LS, received_transfer_syntax_uid=JPEG_LS)
PLAIN = replace(OURS, transfer_syntax_uid=EXPLICIT, received_transfer_syntax_uid=EXPLICIT)

OCTETS = 'multipart/related; type="application/octet-stream"'


@pytest.mark.parametrize(
    ("stored", "accept", "form", "content_type", "multipart"),
    [
        (OURS, f"{OCTETS}; transfer-syntax=*", Form.STORED, f"application/octet-stream; transfer-syntax={HTJ2K}", True),
        (OURS, OCTETS, Form.NATIVE, f"application/octet-stream; transfer-syntax={EXPLICIT}", True),
        (OURS, "*/*", Form.NATIVE, f"application/octet-stream; transfer-syntax={EXPLICIT}", True),
        (OURS, "multipart/related; type=image/jphc", Form.STORED, f"image/jphc; transfer-syntax={HTJ2K}", True),
        (OURS, "image/jphc", Form.STORED, f"image/jphc; transfer-syntax={HTJ2K}", False),
        (OURS, "multipart/related; type=image/jls, */*;q=0.1", Form.NATIVE, None, True),
        (THEIRS, "*/*", Form.STORED, f"image/jls; transfer-syntax={JPEG_LS}", True),
        (THEIRS, "multipart/related; type=image/*; transfer-syntax=*", Form.STORED, None, True),
        (THEIRS, f"{OCTETS}; transfer-syntax={JPEG_LS}", Form.STORED, None, True),
        (THEIRS, "application/octet-stream", Form.NATIVE, None, False),
        (PLAIN, f"{OCTETS}; transfer-syntax=*", Form.STORED, None, True),
        (PLAIN, f"{OCTETS}; transfer-syntax={IMPLICIT}", Form.NATIVE, None, True),
    ],
)
def test_frames_leave_in_the_form_that_was_asked(
    stored: StoredInstance, accept: str, form: Form, content_type: str | None, *, multipart: bool
) -> None:
    """PS3.18 8.7.3.5: as stored for * or its own media type, Explicit VR Little Endian when nothing is named."""
    choice = choose_frame(acceptable([accept]), stored)
    assert (choice.form, choice.multipart) == (form, multipart)
    assert content_type in {None, choice.content_type}


@pytest.mark.parametrize(
    "accept", ["image/png", "multipart/related; type=image/jls", f"{OCTETS}; transfer-syntax=1.2.3"]
)
def test_frames_that_cannot_be_given_are_refused(accept: str) -> None:
    """A form that is not held is not invented."""
    with pytest.raises(NotAcceptable):
        choose_frame(acceptable([accept]), OURS)


@pytest.mark.parametrize(
    ("accept", "form", "multipart"),
    [
        ("multipart/related; type=application/dicom; transfer-syntax=*", Form.STORED, True),
        ("multipart/related; type=application/dicom", Form.NATIVE, True),
        ("multipart/related", Form.NATIVE, True),
        ("*/*", Form.NATIVE, True),
        ("application/dicom", Form.NATIVE, False),
        (f"application/dicom; transfer-syntax={HTJ2K}", Form.STORED, False),
        (f"application/dicom; transfer-syntax={IMPLICIT}", Form.RECEIVED, False),
    ],
)
def test_instances_leave_in_the_form_that_was_asked(accept: str, form: Form, *, multipart: bool) -> None:
    """As stored, as received, or Explicit VR Little Endian (PS3.18 8.7.3.3)."""
    choice = choose_instance(acceptable([accept]), OURS)
    assert (choice.form, choice.multipart) == (form, multipart)


def test_an_instance_in_a_form_nobody_holds_is_refused() -> None:
    """We do not transcode into other compressions."""
    with pytest.raises(NotAcceptable):
        choose_instance(acceptable([f"application/dicom; transfer-syntax={JPEG_LS}"]), OURS)
