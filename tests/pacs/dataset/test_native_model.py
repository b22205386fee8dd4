import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dataset import read_data_set
from pacs.dataset.json import json_object
from pacs.dataset.native_model import NAMESPACE, native_model
from pacs.file_meta import read_file_meta

DATA_SET: dict[str, Any] = {
    "00080020": {"vr": "DA", "Value": ["20240101"]},
    "00080061": {"vr": "CS", "Value": ["CT", None, "SR"]},
    "00081190": {"vr": "UR", "Value": ["http://host/a?b=1&c=2"]},
    "00090010": {"vr": "LO", "Value": ["ACME"]},
    "00091001": {"vr": "UN", "InlineBinary": "AAE="},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Nguyen^Van A^^Dr", "Ideographic": "阮^文"}]},
    "00100020": {"vr": "LO"},
    "00200013": {"vr": "IS", "Value": [7]},
    "00400275": {"vr": "SQ", "Value": [{"00401001": {"vr": "SH", "Value": ["<RP&7>"]}}]},
    "7FE00010": {"vr": "OW", "BulkDataURI": "../bulkdata/7FE00010"},
}

# PS3.19 A.1.5 by hand
EXPECTED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'
    '<DicomAttribute tag="00080020" vr="DA" keyword="StudyDate"><Value number="1">20240101</Value></DicomAttribute>'
    '<DicomAttribute tag="00080061" vr="CS" keyword="ModalitiesInStudy">'
    '<Value number="1">CT</Value><Value number="3">SR</Value></DicomAttribute>'
    '<DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL">'
    '<Value number="1">http://host/a?b=1&amp;c=2</Value></DicomAttribute>'
    '<DicomAttribute tag="00090010" vr="LO"><Value number="1">ACME</Value></DicomAttribute>'
    '<DicomAttribute tag="00091001" vr="UN" privateCreator="ACME"><InlineBinary>AAE=</InlineBinary></DicomAttribute>'
    '<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1"><Alphabetic>'
    "<FamilyName>Nguyen</FamilyName><GivenName>Van A</GivenName><NamePrefix>Dr</NamePrefix></Alphabetic>"
    "<Ideographic><FamilyName>阮</FamilyName><GivenName>文</GivenName></Ideographic></PersonName></DicomAttribute>"
    '<DicomAttribute tag="00100020" vr="LO" keyword="PatientID"></DicomAttribute>'
    '<DicomAttribute tag="00200013" vr="IS" keyword="InstanceNumber"><Value number="1">7</Value></DicomAttribute>'
    '<DicomAttribute tag="00400275" vr="SQ" keyword="RequestAttributesSequence"><Item number="1">'
    '<DicomAttribute tag="00401001" vr="SH" keyword="RequestedProcedureID">'
    '<Value number="1">&lt;RP&amp;7&gt;</Value></DicomAttribute></Item></DicomAttribute>'
    '<DicomAttribute tag="7FE00010" vr="OW" keyword="PixelData"><BulkData uri="../bulkdata/7FE00010"/></DicomAttribute>'
    "</NativeDicomModel>\n"
)


def test_a_data_set_is_written_as_the_standard_has_it() -> None:
    """Every kind of content of PS3.19 Table A.1.5-2, as written down by hand."""
    assert native_model(DATA_SET).decode() == EXPECTED


@given(st.text(), st.text())
def test_whatever_text_a_sender_wrote_is_well_formed(value: str, creator: str) -> None:
    """Control characters, lone surrogates and markup never break the document, and never become markup."""
    written = native_model(
        {
            "00090010": {"vr": "LO", "Value": [creator]},
            "00091001": {"vr": "LO", "Value": [value]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": value}]},
        }
    )
    root = ET.fromstring(written)  # noqa: S314  # our own
    assert [child.tag for child in root] == [f"{{{NAMESPACE}}}DicomAttribute"] * 3
    read = root[1][0].text or ""
    assert len(read) == len(value)
    assert all(one in {other, "\ufffd"} for one, other in zip(read, value, strict=True))


def contents(root: ET.Element) -> dict[str, Any]:
    """Each attribute by tag: VR, keyword and what it holds, without namespaces."""
    found = {}
    for attribute in root:
        is_item = attribute.get("vr") == "SQ"
        inside = [(child.get("number"), contents(child) if is_item else texts(child)) for child in attribute]
        found[attribute.attrib["tag"]] = (attribute.get("vr"), attribute.get("keyword"), inside)
    return {tag: one for tag, one in found.items() if one[0] not in OTHERWISE and int(tag[3], 16) % 2 == 0}


def texts(element: ET.Element) -> list[tuple[str, str]]:
    return [(one.tag.rpartition("}")[2], (one.text or "").strip()) for one in element.iter()]


OTHERWISE = {"DS", "FL", "FD", "OB", "OW", "OF", "UN", "OB or OW"}  # 1.0 and 1 are equal, binary values may be linked


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "reportsi.dcm"])
def test_another_writer_says_the_same(pydicom_file: Callable[[str], Path], name: str) -> None:
    """DCMTK writes the same attributes, values, items and names for the same data set."""
    file = pydicom_file(name).read_bytes()
    meta = read_file_meta(file)
    data_set = read_data_set(memoryview(file)[meta.data_set_offset :], meta.transfer_syntax_uid)
    ours = contents(ET.fromstring(native_model(json_object(data_set, bulk_data_root=""))))  # noqa: S314  # our own
    command = ["dcm2xml", "--native-format", str(pydicom_file(name))]
    written = subprocess.run(command, check=True, capture_output=True).stdout
    theirs = contents(ET.fromstring(written))  # noqa: S314  # DCMTK's
    for both in (ours, theirs):
        both.pop("00080005", None)  # ours is always UTF-8
    assert len(ours) > 20
    assert ours == theirs
