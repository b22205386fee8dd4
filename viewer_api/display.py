"""How values of a DICOM JSON object are written for people.

Law: pure; shows what was sent and never guesses: an unreadable date is shown as it came. Dates are DD/MM/YYYY, times
HH:MM, in the hospital's own clock as the modality wrote them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DicomJson = Mapping[str, Any]


def texts(item: DicomJson, tag: str) -> tuple[str, ...]:
    """All values of an attribute as text; a Person Name by its alphabetic, else ideographic, group."""
    values = item.get(tag, {}).get("Value") or ()
    return tuple(_text(v) for v in values if v is not None)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("Alphabetic") or value.get("Ideographic") or value.get("Phonetic") or ""
    return str(value).strip()


def text(item: DicomJson, tag: str) -> str:
    """The first value of an attribute as text, or empty."""
    return next(iter(texts(item, tag)), "")


def number(item: DicomJson, tag: str) -> int:
    """The first value of an attribute as a whole number, 0 when there is none."""
    try:
        return int(float(text(item, tag)))
    except (ValueError, OverflowError):
        return 0


def person_name(value: str) -> str:
    """``NGUYỄN^VĂN A`` → ``NGUYỄN VĂN A``: components in the order sent, which is family name first."""
    return " ".join(value.replace("^", " ").replace("=", " ").split())


def date(value: str) -> str:
    """``20261123`` → ``23/11/2026``; anything else as it came."""
    found = re.fullmatch(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})", value)
    return f"{found[3]}/{found[2]}/{found[1]}" if found else value


def time(value: str) -> str:
    """``140233.5`` → ``14:02``; anything else as it came."""
    found = re.match(r"(\d{2}):?(\d{2})", value)
    return f"{found[1]}:{found[2]}" if found else value


SEX: Mapping[str, str] = {"M": "male", "F": "female", "O": "other_sex"}  # PS3.3 C.7.1.1 → key of `words`


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """Who the images are of, as every page with images shows it."""

    name: str
    patient_id: str
    birth_date: str
    birth_year: str
    sex: str  # a key of `words`, or empty

    @classmethod
    def of(cls, item: DicomJson) -> "PatientFacts":
        """From a study's attributes."""
        born = text(item, "00100030")
        return cls(
            name=person_name(text(item, "00100010")),
            patient_id=text(item, "00100020"),
            birth_date=date(born),
            birth_year=born[:4],
            sex=SEX.get(text(item, "00100040").upper(), ""),
        )


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """One study as the worklist and the study page show it."""

    study_instance_uid: str
    patient: PatientFacts
    date: str
    time: str
    description: str
    accession_number: str
    referring: str
    modalities: Sequence[str]
    series: int
    instances: int

    @classmethod
    def of(cls, item: DicomJson) -> "StudyFacts":
        """From one result of a study search."""
        return cls(
            study_instance_uid=text(item, "0020000D"),
            patient=PatientFacts.of(item),
            date=date(text(item, "00080020")),
            time=time(text(item, "00080030")),
            description=text(item, "00081030"),
            accession_number=text(item, "00080050"),
            referring=person_name(text(item, "00080090")),
            modalities=texts(item, "00080061"),
            series=number(item, "00201206"),
            instances=number(item, "00201208"),
        )


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """One series as a card shows it."""

    series_instance_uid: str
    modality: str
    number: str
    description: str
    body_part: str
    instances: int

    @classmethod
    def of(cls, item: DicomJson) -> "SeriesFacts":
        """From one result of a series search."""
        return cls(
            series_instance_uid=text(item, "0020000E"),
            modality=text(item, "00080060"),
            number=text(item, "00200011"),
            description=text(item, "0008103E"),
            body_part=text(item, "00180015"),
            instances=number(item, "00201209"),
        )
