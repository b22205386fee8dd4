"""From the standard's keyword to our name, by one rule.

Law: Python attributes and SQL columns are the snake_case of the DICOM keyword; no translation table exists anywhere.
"""

import re

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(keyword: str) -> str:
    """``StudyInstanceUID`` → ``study_instance_uid``; ``SOPClassUID`` → ``sop_class_uid``."""
    # plural acronyms would otherwise fall apart: SOPClassesInStudy is fine, but UIDs → ui_ds
    return _BOUNDARY.sub("_", keyword.replace("UIDs", "Uids")).lower()
