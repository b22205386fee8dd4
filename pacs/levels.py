"""The attributes by which studies, series and instances are found and shown (PS3.4 C.6, PS3.18 10.6).

Law: one table. Index rows, search and answers all take their attributes from it, so that they cannot disagree about
what a study says. An attribute with a column is matched and sorted there; one without is kept as DICOM JSON beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacs.keywords import snake_case

Level = Literal["patient", "study", "series", "instance"]
Matching = Literal["", "text", "name", "uid", "date", "time", "number"]
LEVELS: tuple[Level, ...] = ("patient", "study", "series", "instance")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: where it belongs, how it is found ("" : not at all) and whether every answer has it.

    ``column`` is "" when the value is only in the ``attributes`` of its row; a ``computed`` one is in no data set: the
    index or the front door knows it. ``path`` are the tags from the top level down, one unless it is inside a sequence.
    """

    keyword: str
    path: tuple[int, ...]
    vr: str
    level: Level
    matching: Matching
    column: str
    required: bool = False
    computed: bool = False

    @property
    def tag(self) -> str:
        """The top-level tag as DICOM JSON spells it, ``0020000D``."""
        return f"{self.path[0]:08X}"


_MATCHING: Mapping[str, Matching] = {
    "PN": "name",
    "UI": "uid",
    "DA": "date",
    "TM": "time",
    "IS": "number",
    "DS": "",
    "SQ": "",
    "UR": "",
    "US": "",
}


def _attribute(name: str, level: Level, marks: str) -> Attribute:
    path = tuple(int(tag_for_keyword(keyword) or 0) for keyword in name.split("."))
    vr = dictionary_VR(path[-1])
    column = snake_case(name) if "C" in marks else ""
    matching = "" if "." in marks or (vr == "PN" and not column) else _MATCHING.get(vr, "text")
    return Attribute(name, path, vr, level, matching, column, required="R" in marks, computed="=" in marks)


# Level and keyword; C: has a column; R: in every answer (PS3.18 Tables 10.6.3-3, -4, -5, and what viewers ask for);
# "=": computed; ".": not matched. A name is matched by its folded column only.
_TABLE: tuple[tuple[Level, str, str], ...] = (
    ("patient", "PatientName", "CR"),
    ("patient", "PatientID", "CR"),
    ("patient", "IssuerOfPatientID", "C"),
    ("patient", "PatientBirthDate", "CR"),
    ("patient", "PatientSex", "CR"),
    ("patient", "PatientBirthTime", ""),
    ("patient", "OtherPatientIDsSequence", ""),
    ("patient", "OtherPatientIDsSequence.PatientID", ""),
    ("patient", "IssuerOfPatientIDQualifiersSequence", ""),
    ("patient", "ReferencedPatientSequence", ""),
    ("patient", "OtherPatientNames", ""),
    ("patient", "EthnicGroup", ""),
    ("patient", "PatientComments", ""),
    ("patient", "NumberOfPatientRelatedStudies", "C=."),
    ("patient", "NumberOfPatientRelatedSeries", "C=."),
    ("patient", "NumberOfPatientRelatedInstances", "C=."),
    ("study", "StudyInstanceUID", "CR"),
    ("study", "StudyDate", "CR"),
    ("study", "StudyTime", "CR"),
    ("study", "AccessionNumber", "CR"),
    ("study", "StudyID", "CR"),
    ("study", "StudyDescription", "CR"),
    ("study", "ReferringPhysicianName", "CR"),
    ("study", "ModalitiesInStudy", "CR="),
    ("study", "NumberOfStudyRelatedSeries", "CR=."),
    ("study", "NumberOfStudyRelatedInstances", "CR=."),
    ("study", "InstanceAvailability", "R=."),
    ("study", "RetrieveURL", "R=."),
    ("study", "TimezoneOffsetFromUTC", "."),
    ("study", "InstitutionName", ""),
    ("study", "PatientAge", ""),
    ("study", "PatientSize", ""),
    ("study", "PatientWeight", ""),
    ("study", "IssuerOfAccessionNumberSequence", ""),
    ("study", "PhysiciansOfRecord", ""),
    ("study", "NameOfPhysiciansReadingStudy", ""),
    ("study", "ReferringPhysicianIdentificationSequence", ""),
    ("study", "ProcedureCodeSequence", ""),
    ("study", "ProcedureCodeSequence.CodeValue", ""),
    ("study", "ProcedureCodeSequence.CodingSchemeDesignator", ""),
    ("study", "ReferencedStudySequence", ""),
    ("study", "AdmittingDiagnosesDescription", ""),
    ("study", "AdmissionID", ""),
    ("study", "RequestingService", ""),
    ("study", "Occupation", ""),
    ("study", "AdditionalPatientHistory", ""),
    ("study", "OtherStudyNumbers", ""),
    ("series", "SeriesInstanceUID", "CR"),
    ("series", "Modality", "CR"),
    ("series", "SeriesNumber", "CR"),
    ("series", "SeriesDescription", "CR"),
    ("series", "BodyPartExamined", "C"),
    ("series", "PerformedProcedureStepStartDate", "CR"),
    ("series", "PerformedProcedureStepStartTime", "CR"),
    ("series", "StationName", "C"),
    ("series", "InstitutionalDepartmentName", "C"),
    ("series", "NumberOfSeriesRelatedInstances", "CR=."),
    ("series", "RequestAttributesSequence", "R"),
    ("series", "RequestAttributesSequence.RequestedProcedureID", ""),
    ("series", "RequestAttributesSequence.ScheduledProcedureStepID", ""),
    ("series", "SeriesDate", ""),
    ("series", "SeriesTime", ""),
    ("series", "Laterality", ""),
    ("series", "ProtocolName", ""),
    ("series", "PatientPosition", ""),
    ("series", "PerformingPhysicianName", ""),
    ("series", "OperatorsName", ""),
    ("series", "Manufacturer", ""),
    ("series", "ManufacturerModelName", ""),
    ("series", "DeviceSerialNumber", ""),
    ("series", "SoftwareVersions", ""),
    ("series", "PerformedProcedureStepID", ""),
    ("series", "PerformedProcedureStepDescription", ""),
    ("series", "PerformedProtocolCodeSequence", ""),
    ("series", "ReferencedPerformedProcedureStepSequence", ""),
    ("series", "FrameOfReferenceUID", ""),
    ("instance", "SOPInstanceUID", "CR"),
    ("instance", "SOPClassUID", "CR"),
    ("instance", "InstanceNumber", "CR"),
    ("instance", "Rows", "C"),
    ("instance", "Columns", "C"),
    ("instance", "BitsAllocated", "C"),
    ("instance", "NumberOfFrames", "C."),
    ("instance", "ContentDate", "C"),
    ("instance", "ContentTime", "C"),
)

ATTRIBUTES: tuple[Attribute, ...] = tuple(_attribute(name, level, marks) for level, name, marks in _TABLE)
BY_KEYWORD: Mapping[str, Attribute] = {attribute.keyword: attribute for attribute in ATTRIBUTES}
BY_PATH: Mapping[tuple[int, ...], Attribute] = {attribute.path: attribute for attribute in ATTRIBUTES}


def attributes_of(*levels: Level) -> tuple[Attribute, ...]:
    """The attributes of these levels in the order of the table, those inside sequences left out."""
    return tuple(one for one in ATTRIBUTES if one.level in levels and len(one.path) == 1)
