"""docs/conformance.md must not promise what the code does not do, nor hide what it does."""

import re
from pathlib import Path

import pytest
from pydicom._uid_dict import UID_dictionary

from dicom_scp import admission
from dicom_scp.find import ROOTS, UNDERSTOOD
from dicom_scp.find_statuses import FindStatus
from dicom_scp.negotiation import NOT_FILED_IN_A_STUDY, is_storage
from dicom_scp.retrieve import LEVELS
from dicom_scp.statuses import Status
from dicom_scp.sub_operations import RetrieveStatus
from dicom_scp.worklist import MODALITY_WORKLIST
from pacs.file_meta import IMPLEMENTATION_CLASS_UID
from pacs.settings import Settings
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES

STATEMENT = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows below the table head that contains ``heading``."""
    lines = STATEMENT.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("|") and heading in line) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.parametrize(
    ("heading", "uids"),
    [
        ("| SOP class | UID", {uid for uid in UID_dictionary if is_storage(uid)}),
        ("| Refused SOP class", set(NOT_FILED_IN_A_STUDY)),
        ("| Transfer syntax | UID", set(TRANSFER_SYNTAXES)),
    ],
)
def test_uids_are_those_of_the_tables(heading: str, uids: set[str]) -> None:
    """Each list of the statement is the list that negotiation goes by."""
    rows = [uid for _, uid in table(heading)]
    assert len(rows) == len(set(rows))
    assert set(rows) == uids


def test_statuses_are_those_of_the_table() -> None:
    """Every status that can be answered is listed, and no other."""
    assert {int(row[1], 16) for row in table("| Status | Code")} == set(Status)


def test_retrieve_statuses_are_those_of_the_table() -> None:
    """So are those of C-GET and C-MOVE, and the information models."""
    assert {int(row[1], 16) for row in table("| Retrieve status | Code")} == set(RetrieveStatus)
    assert {row[1] for row in table("| Information model | UID")} >= set(LEVELS)


def test_find_statuses_models_and_flags_are_those_of_the_tables() -> None:
    """So are those of C-FIND, and what its extended negotiation understands."""
    assert {int(row[1], 16) for row in table("| Find status | Code")} == set(FindStatus)
    assert {row[1] for row in table("| Find model | UID")} == {*ROOTS, MODALITY_WORKLIST}
    assert bytes(int(row[2]) for row in table("| Agreed byte")) == UNDERSTOOD


def test_rejections_are_those_of_the_table() -> None:
    """An installer reads the cause of a rejection here."""
    rows = {tuple(int(cell) for cell in row[1:]) for row in table("| Why rejected")}
    assert rows == {tuple(value) for value in vars(admission).values() if isinstance(value, admission.Rejection)}


def test_limits_and_defaults_are_those_of_the_code() -> None:
    """Numbers that a vendor configures by are not left behind by a change."""
    settings = Settings()
    policies = dict(table("| Property | Value"))
    assert policies["Implementation Class UID"] == IMPLEMENTATION_CLASS_UID
    numbers = [int(re.sub(r"\D.*", "", policies[name])) for name in policies if policies[name][:1].isdigit()][2:]
    assert numbers == [
        settings.dicom_maximum_length,
        settings.dicom_associations,
        settings.dicom_associations_per_ae,
        settings.dicom_association_timeout,
        settings.dicom_idle_timeout,
    ]
    assert [row[1] for row in table("| Setting | Default")] == [
        str(settings.dicom_port),
        settings.dicom_host or "every interface",
        settings.ae_title,
        str(settings.receivers),
        str(settings.dicom_tls_port),
        settings.dicom_tls_certificate or "none",
        settings.dicom_tls_key or "in the certificate's file",
        settings.dicom_tls_ca or "none",
        str(int(settings.dicom_tls_mutual)),
        str(settings.dicom_associations),
        str(settings.dicom_associations_per_ae),
        str(settings.dicom_maximum_length),
        f"{settings.dicom_association_timeout:.0f}",
        f"{settings.dicom_response_timeout:.0f}",
        f"{settings.dicom_idle_timeout:.0f}",
    ]
