"""Instances and frames as Explicit VR Little Endian, the form every client can read (PS3.18 8.7.3.5).

Law: what was received uncompressed is given back exactly; only what came compressed is decoded here, and its attributes
then say what was done to the colours. One instance in memory at a time.
"""

import json
from dataclasses import replace

from pacs.codecs import decode_frame
from pacs.codecs.cells import to_cells
from pacs.codecs.codestream import read_header
from pacs.codecs.htj2k import decode_proof
from pacs.dataset import DataSet, describe_image, read_data_set
from pacs.dataset.elements import PIXEL_DATA
from pacs.errors import NotRenderable
from pacs.file_meta import file_meta
from pacs.model import ImageDescription, Source, StoredInstance
from pacs.transcode.explicit import explicit_element, explicit_elements, spliced
from pacs.transcode.pixels import cells_of_frame, frame_of_cells, layout_of
from pacs.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE, transfer_syntax
from storage.archive import Archive

_PHOTOMETRIC_INTERPRETATION = 0x00280004
_PLANAR_CONFIGURATION = 0x00280006
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)


def whole_data_set(archive: Archive, hospital: str, stored: StoredInstance) -> DataSet:
    """The data set as received, pixel data included."""
    return read_data_set(archive.received(hospital, stored), stored.received_transfer_syntax_uid)


def received_part10(archive: Archive, hospital: str, stored: StoredInstance) -> bytes:
    """The data set as received, as a Part 10 file."""
    return _meta(stored, stored.received_transfer_syntax_uid) + archive.received(hospital, stored)


def explicit_little_endian(archive: Archive, hospital: str, stored: StoredInstance) -> bytes:
    """The instance as a Part 10 file in Explicit VR Little Endian; raises NotRenderable for video and the like."""
    uid = stored.received_transfer_syntax_uid
    if uid == EXPLICIT_LE:
        return received_part10(archive, hospital, stored)
    data_set = whole_data_set(archive, hospital, stored)
    if transfer_syntax(uid).encapsulated and data_set.elements.get(PIXEL_DATA) is not None:
        return _meta(stored, EXPLICIT_LE) + _decoded(archive, hospital, stored, data_set)
    elements = sorted(explicit_elements(data_set))
    return _meta(stored, EXPLICIT_LE) + b"".join(element for _, element in elements)


def _meta(stored: StoredInstance, uid: str) -> bytes:
    return file_meta(stored.identity.sop_class_uid, stored.identity.sop_instance_uid, uid, Source())


def _decoded(archive: Archive, hospital: str, stored: StoredInstance, data_set: DataSet) -> bytes:
    image = image_of(data_set)
    frames = [
        native_frame(archive.frame(hospital, stored, number), image, stored, index=number - 1)
        for number in range(1, max(1, stored.number_of_frames) + 1)
    ]
    changes = dict.fromkeys(_OFFSET_TABLES, b"")
    if image.samples_per_pixel > 1:
        changes[_PHOTOMETRIC_INTERPRETATION] = explicit_element(_PHOTOMETRIC_INTERPRETATION, "CS", b"RGB")
        changes[_PLANAR_CONFIGURATION] = explicit_element(_PLANAR_CONFIGURATION, "US", b"\0\0")
    pixels = data_set.elements[PIXEL_DATA]
    value = explicit_element(PIXEL_DATA, "OB" if image.bits_allocated <= 8 else "OW", b"".join(frames))
    tail = bytes(memoryview(data_set.data)[pixels.end :])
    return spliced(data_set, pixels.start, changes) + value + tail


def image_of(data_set: DataSet) -> ImageDescription:
    """The Image Pixel module; raises NotRenderable when there is none."""
    image = describe_image(data_set)
    if image is None:
        raise NotRenderable
    return image


def image_as_received(archive: Archive, hospital: str, stored: StoredInstance) -> ImageDescription:
    """The same as the metadata has it: our HTJ2K stores colour by pixel, whatever it was before."""
    image = image_of(archive.header(hospital, stored))
    if image.samples_per_pixel == 1 or stored.transfer_syntax_uid == stored.received_transfer_syntax_uid:
        return image
    uids = (stored.identity.study_instance_uid, stored.identity.series_instance_uid, stored.identity.sop_instance_uid)
    (metadata,) = json.loads(b"".join(archive.metadata(hospital, *uids)))
    planar = metadata.get("00280006", {}).get("Value", [0])[0]
    return replace(image, planar_configuration=planar)


def native_frame(frame: bytes, image: ImageDescription, stored: StoredInstance, *, index: int) -> bytes:
    """The cells of one frame in Little Endian, as the metadata describes them: colour planes stay planes."""
    uid = stored.transfer_syntax_uid
    syntax = transfer_syntax(uid)
    layout = layout_of(image, little_endian=True, vr="OW", planar=image.planar_configuration == 1)
    if uid == EXPLICIT_BE and image.bits_allocated >= 8:
        received = layout_of(image, little_endian=False, vr="OW", planar=image.planar_configuration == 1)
        return frame_of_cells(cells_of_frame(memoryview(frame), received), layout)
    if not syntax.encapsulated:
        return frame
    if not transfer_syntax(stored.received_transfer_syntax_uid).encapsulated:
        # our own HTJ2K: back to exactly the cells that were received
        return frame_of_cells(to_cells(decode_proof(frame), read_header(frame).comments, image), layout)
    values = decode_frame(frame, image, uid, index=index)
    return values.astype(f"<u{max(1, image.bits_allocated // 8)}", copy=False).tobytes()
