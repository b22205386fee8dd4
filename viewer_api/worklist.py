"""What a person types into the search box, understood as searches.

Law: pure; the day comes in from outside. A search box must not ask what kind of thing was typed: words that mean a day
or a modality filter, the rest is tried as a name, a patient ID and an accession number, and the first that finds
something is shown.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from pacs.names import fold

Parameters = list[tuple[str, str]]

PAGE = 50

PRESETS: Sequence[tuple[str, str]] = (  # code in the address → key of `words`
    ("", "any_day"),
    ("today", "today"),
    ("yesterday", "yesterday"),
    ("7", "last_7_days"),
    ("30", "last_30_days"),
)

MODALITY_GROUPS: Mapping[str, Sequence[str]] = {  # as people group machines → Modality (0008,0060), PS3.3 C.7.3.1.1.1
    "CT": ("CT",),
    "MR": ("MR",),
    "XQ": ("CR", "DX"),
    "SA": ("US",),
    "XA": ("XA",),
    "MG": ("MG",),
}
MODALITIES: Sequence[tuple[str, str]] = (
    ("", "any_modality"),
    ("CT", "CT"),
    ("MR", "MR"),
    ("XQ", "XQ"),
    ("SA", "SA"),
    ("XA", "XA"),
    ("MG", "MG"),
)

_DAY_WORDS = (("hom nay", "today"), ("today", "today"), ("hom qua", "yesterday"), ("yesterday", "yesterday"))
_MODALITY_WORDS = {
    "ct": "CT",
    "cl": "CT",
    "mr": "MR",
    "mri": "MR",
    "cht": "MR",
    "xq": "XQ",
    "xray": "XQ",
    "dx": "XQ",
    "cr": "XQ",
    "sa": "SA",
    "us": "SA",
    "xa": "XA",
    "dsa": "XA",
    "mg": "MG",
}
_DATE = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b")


@dataclass(frozen=True, slots=True)
class Asked:
    """The state of the worklist as its address says it."""

    text: str = ""
    when: str = ""
    modality: str = ""
    page: int = 1

    @property
    def filtered(self) -> bool:
        """Whether anything narrows the list."""
        return bool(self.text or self.when or self.modality)

    def address(self, **changes: object) -> str:
        """The address of the list with ``changes``; another filter begins at its first page."""
        new = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]  # names are the fields themselves
        wanted = {"q": new.text, "when": new.when, "modality": new.modality, "page": new.page if new.page > 1 else ""}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"/?{query}" if query else "/"


def understand(asked: Asked, today: date) -> list[Parameters]:
    """Searches to try one after the other, as QIDO-RS parameters without paging."""
    text, when, modality = asked.text, asked.when, asked.modality
    days = days_of(when, today)
    if found := _DATE.search(text):
        text = text.replace(found[0], " ")
        days = f"{found[3]}{found[2]:0>2}{found[1]:0>2}"
    folded = fold(text)
    for spoken, code in _DAY_WORDS:
        if re.search(rf"\b{spoken}\b", folded):
            folded = re.sub(rf"\b{spoken}\b", " ", folded)
            text, days = folded, days_of(code, today)
    words = text.split()
    for word in words[:1] + words[-1:]:  # only at the ends: a name may contain such a syllable
        if fold(word) in _MODALITY_WORDS:
            modality = _MODALITY_WORDS[fold(word)]
            words.remove(word)
            break
    filters = [("StudyDate", days)] if days else []
    if modality in MODALITY_GROUPS:
        filters.append(("ModalitiesInStudy", "\\".join(MODALITY_GROUPS[modality])))  # a list of alternatives
    return [[*filters, *who] for who in people(" ".join(words))]


def days_of(code: str, today: date) -> str:
    """The date range of a preset (PS3.4 C.2.2.2.5), or empty for any day."""
    if code == "today":
        return f"{today:%Y%m%d}"
    if code == "yesterday":
        return f"{today - timedelta(days=1):%Y%m%d}"
    return f"{today - timedelta(days=int(code) - 1):%Y%m%d}-{today:%Y%m%d}" if code in {"7", "30"} else ""


def people(text: str) -> list[Parameters]:
    """Whom the rest of the text may mean, the likeliest first."""
    bare = text.replace("*", "").replace("?", "").replace("\\", " ").strip()
    if not bare:
        return [[]]
    name = [("PatientName", bare), ("fuzzymatching", "true")]
    anywhere = f"*{bare}*\\*{bare.upper()}*"  # identifiers match by case, and are mostly capitals
    patient_id = [("PatientID", anywhere)]
    accession_number = [("AccessionNumber", anywhere)]
    if any(c.isdigit() for c in bare):
        return [patient_id, accession_number, name]
    return [name, patient_id, accession_number]
