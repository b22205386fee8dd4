from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacs.keywords import snake_case
from pacs.levels import ATTRIBUTES, LEVELS, Level, attributes_of

# PS3.18 Table 10.6.1-5 by hand: attributes that a search must be able to match.
MATCHED: dict[Level, set[str]] = {
    "patient": {"PatientName", "PatientID"},
    "study": {
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ModalitiesInStudy",
        "ReferringPhysicianName",
        "StudyInstanceUID",
        "StudyID",
    },
    "series": {
        "Modality",
        "SeriesInstanceUID",
        "SeriesNumber",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "RequestAttributesSequence.RequestedProcedureID",
    },
    "instance": {"SOPClassUID", "SOPInstanceUID", "InstanceNumber"},
}

# PS3.18 Tables 10.6.3-3, -4 and -5 by hand: attributes of answers. Specific Character Set is missing on purpose, since
# JSON is UTF-8; Retrieve URL and Instance Availability stand once, for all levels.
RETURNED: dict[Level, set[str]] = {
    "patient": {"PatientName", "PatientID", "PatientBirthDate", "PatientSex"},
    "study": {
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "InstanceAvailability",
        "ModalitiesInStudy",
        "ReferringPhysicianName",
        "TimezoneOffsetFromUTC",
        "RetrieveURL",
        "StudyInstanceUID",
        "StudyID",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    },
    "series": {
        "Modality",
        "SeriesDescription",
        "SeriesInstanceUID",
        "SeriesNumber",
        "NumberOfSeriesRelatedInstances",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "RequestAttributesSequence",
    },
    "instance": {
        "SOPClassUID",
        "SOPInstanceUID",
        "InstanceNumber",
        "Rows",
        "Columns",
        "BitsAllocated",
        "NumberOfFrames",
    },
}

COMPUTED = {
    "NumberOfPatientRelatedStudies",
    "NumberOfPatientRelatedSeries",
    "NumberOfPatientRelatedInstances",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "NumberOfSeriesRelatedInstances",
    "InstanceAvailability",
    "RetrieveURL",
}


def test_every_required_matching_key_can_be_matched() -> None:
    """A conforming client may search by any of them."""
    for level, keywords in MATCHED.items():
        assert keywords <= {one.keyword for one in ATTRIBUTES if one.level == level and one.matching}, level


def test_every_required_return_key_is_in_the_table() -> None:
    """A conforming client may expect any of them."""
    for level, keywords in RETURNED.items():
        assert keywords <= {one.keyword for one in attributes_of(level)}, level


def test_what_no_data_set_says_is_marked_as_computed() -> None:
    """These are known to the index and to the front door alone."""
    assert {one.keyword for one in ATTRIBUTES if one.computed} == COMPUTED


def test_each_attribute_is_what_the_dictionary_says() -> None:
    """Tags and VRs are those of the keywords, columns their snake_case, and none comes twice."""
    for one in ATTRIBUTES:
        assert one.path == tuple(tag_for_keyword(part) for part in one.keyword.split("."))
        assert one.vr == dictionary_VR(one.path[-1])
        assert one.column in {"", snake_case(one.keyword)}
        assert one.level in LEVELS
    assert len({one.path for one in ATTRIBUTES}) == len(ATTRIBUTES)


def test_an_attribute_inside_a_sequence_is_kept_with_its_sequence() -> None:
    """Only whole sequences are kept and served."""
    assert all(len(one.path) == 1 for one in attributes_of(*LEVELS))
    assert {one.path[0] for one in ATTRIBUTES if len(one.path) > 1} <= {one.path[0] for one in attributes_of(*LEVELS)}
