from dataclasses import replace

import pytest

from pacs.model import Identity, Location, StoredInstance
from viewer_api.dicomweb.forms import frame_choices, instance_choices
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
J2K, JPEG = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50"
VIDEO = replace(
    OURS, transfer_syntax_uid="1.2.840.10008.1.2.4.102", received_transfer_syntax_uid="1.2.840.10008.1.2.4.102"
)
REPORT = replace(PLAIN, rows=0, columns=0, frames=())


@pytest.mark.parametrize(
    ("stored", "accept", "content_type", "multipart"),
    [
        (OURS, f"{OCTETS}; transfer-syntax=*", f"application/octet-stream; transfer-syntax={HTJ2K}", True),
        (OURS, OCTETS, f"application/octet-stream; transfer-syntax={EXPLICIT}", True),
        (OURS, "*/*", f"application/octet-stream; transfer-syntax={EXPLICIT}", True),
        (OURS, "multipart/related; type=image/jphc", f"image/jphc; transfer-syntax={HTJ2K}", True),
        (OURS, "image/jphc", f"image/jphc; transfer-syntax={HTJ2K}", False),
        (OURS, "multipart/related; type=image/jls", f"image/jls; transfer-syntax={JPEG_LS}", True),
        (
            OURS,
            "multipart/related; type=image/png, */*;q=0.1",
            f"application/octet-stream; transfer-syntax={EXPLICIT}",
            True,
        ),
        (OURS, "image/jp2", f"image/jp2; transfer-syntax={J2K}", False),
        (OURS, f"image/jpeg; transfer-syntax={JPEG}", f"image/jpeg; transfer-syntax={JPEG}", False),
        (OURS, f"{OCTETS}; transfer-syntax={JPEG_LS}", f"application/octet-stream; transfer-syntax={JPEG_LS}", True),
        (THEIRS, "*/*", f"image/jls; transfer-syntax={JPEG_LS}", True),
        (THEIRS, "multipart/related; type=image/*; transfer-syntax=*", f"image/jls; transfer-syntax={JPEG_LS}", True),
        (THEIRS, f"{OCTETS}; transfer-syntax={JPEG_LS}", f"application/octet-stream; transfer-syntax={JPEG_LS}", True),
        (THEIRS, "application/octet-stream", f"application/octet-stream; transfer-syntax={EXPLICIT}", False),
        (PLAIN, f"{OCTETS}; transfer-syntax=*", f"application/octet-stream; transfer-syntax={EXPLICIT}", True),
        (PLAIN, f"{OCTETS}; transfer-syntax={IMPLICIT}", f"application/octet-stream; transfer-syntax={EXPLICIT}", True),
        (VIDEO, "video/mp4", "video/mp4; transfer-syntax=1.2.840.10008.1.2.4.102", False),
        (VIDEO, OCTETS, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.102", True),
    ],
)
def test_frames_leave_in_the_form_that_was_asked(
    stored: StoredInstance, accept: str, content_type: str, *, multipart: bool
) -> None:
    """PS3.18 8.7.3.5: as stored for * or its own media type, Explicit VR Little Endian when nothing is named."""
    choice = frame_choices(acceptable([accept]), stored)[0]
    assert (choice.content_type, choice.multipart) == (content_type, multipart)


@pytest.mark.parametrize(
    ("stored", "accept"),
    [
        (OURS, "image/png"),
        (OURS, f"{OCTETS}; transfer-syntax=1.2.3"),
        (OURS, "image/jpeg"),  # lossless JPEG is meant, which we do not make; lossy must be named
        (VIDEO, "image/jls"),
    ],
)
def test_frames_that_cannot_be_given_are_refused(stored: StoredInstance, accept: str) -> None:
    """A form that cannot be made is not offered."""
    assert frame_choices(acceptable([accept]), stored) == []


@pytest.mark.parametrize(
    ("stored", "accept", "uid", "multipart"),
    [
        (OURS, "multipart/related; type=application/dicom; transfer-syntax=*", HTJ2K, True),
        (OURS, "multipart/related; type=application/dicom", EXPLICIT, True),
        (OURS, "multipart/related", EXPLICIT, True),
        (OURS, "*/*", EXPLICIT, True),
        (OURS, "application/dicom", EXPLICIT, False),
        (OURS, f"application/dicom; transfer-syntax={HTJ2K}", HTJ2K, False),
        (OURS, f"application/dicom; transfer-syntax={IMPLICIT}", IMPLICIT, False),
        (OURS, f"application/dicom; transfer-syntax={JPEG_LS}", JPEG_LS, False),
        (OURS, "application/zip; transfer-syntax=*", HTJ2K, True),
        (VIDEO, "application/dicom", VIDEO.transfer_syntax_uid, False),
        (REPORT, f"application/dicom; transfer-syntax={J2K}, application/dicom;q=0.5", EXPLICIT, False),
    ],
)
def test_instances_leave_in_the_form_that_was_asked(
    stored: StoredInstance, accept: str, uid: str, *, multipart: bool
) -> None:
    """As stored, as received, converted, or Explicit VR Little Endian when nothing is named (PS3.18 8.7.3.3)."""
    choice = instance_choices(acceptable([accept]), stored)[0]
    assert (choice.transfer_syntax_uid, choice.multipart) == (uid, multipart)


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.70"])
def test_an_instance_in_a_form_nobody_makes_is_refused(uid: str) -> None:
    """Unknown transfer syntaxes, video, and compressions that we have no encoder for."""
    assert instance_choices(acceptable([f"application/dicom; transfer-syntax={uid}"]), OURS) == []
