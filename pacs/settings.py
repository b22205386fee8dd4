"""Every setting of the archive, in one frozen value.

Law: a setting is read once, at the composition root, from ``PACS_*`` variables; nobody else looks at the environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pacs.errors import Misconfigured

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may choose; each field ``x_y`` is the variable ``PACS_X_Y``. Sizes are bytes, times seconds."""

    data: Path = Path("var")
    database_url: str = ""  # empty: the embedded PostgreSQL under ``data``
    objects_url: str = ""  # empty: the folder ``data/objects``
    objects_sse: str = ""  # server-side encryption header for S3: "", "AES256" or "aws:kms[:key id]"
    ae_title: str = "PACS"
    trust_local: bool = False  # any calling AE title from this machine; `pacs serve` on embedded defaults says 1
    dicom_host: str = ""  # empty: every interface, so that modalities reach us
    dicom_port: int = 11112
    dicom_associations: int = 128  # at the same time, on this machine
    dicom_associations_per_ae: int = 64  # of them, from one calling AE title
    dicom_maximum_length: int = 128 * 1024  # of a P-DATA-TF that we take
    dicom_association_timeout: float = 30.0  # to ask for an association or answer us, and for a TLS hand-shake
    dicom_response_timeout: float = 120.0  # for a response to what we asked
    dicom_idle_timeout: float = 300.0  # for a silent peer
    dicom_tls_port: int = 2762  # opened as soon as there is a certificate
    dicom_tls_certificate: str = ""  # PEM file with our certificate and its chain; empty: no TLS
    dicom_tls_key: str = ""  # PEM file; empty: the key is in the file of the certificate
    dicom_tls_ca: str = ""  # PEM file with the CAs that sign the certificates of peers
    dicom_tls_mutual: bool = True  # whoever calls us must have a certificate too
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    cors_origins: str = ""  # pages of other origins that may call DICOMweb and IIIF with a token; "*" is every one
    receivers: int = 2
    workers: int = 2
    spool_free_floor: int = 1024 * MIB
    pack_bytes: int = 64 * MIB
    pack_quiet: float = 1.0
    pack_age: float = 5.0
    cache_bytes: int = 10240 * MIB
    delete_grace: float = 30 * 86400.0  # how long what was deleted can be restored
    compact_quiet: float = 86400.0  # a series that got nothing for so long is packed anew
    search_seconds: float = 10.0  # after that, a search is told to be narrower

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **given: Any) -> "Settings":
        """Take ``PACS_*`` from ``environment``; ``given`` (command line) wins. Raises Misconfigured on nonsense."""
        values: dict[str, Any] = {}
        for setting in fields(cls):
            text = environment.get(variable(setting.name))
            if text is None:
                continue
            kind: Any = type(setting.default)
            try:
                values[setting.name] = bool(int(text)) if kind is bool else kind(text)
            except ValueError:
                raise Misconfigured(f"{variable(setting.name)} is not a number") from None
        return cls(**{**values, **{name: value for name, value in given.items() if value is not None}})

    @property
    def embedded_database(self) -> bool:
        """Whether PostgreSQL is ours to start and stop."""
        return not self.database_url

    def environment(self) -> dict[str, str]:
        """The same settings as ``PACS_*`` variables, for the processes that ``pacs serve`` starts."""
        values = {variable(setting.name): getattr(self, setting.name) for setting in fields(self)}
        return {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in values.items()}


def variable(name: str) -> str:
    """``dicom_port`` → ``PACS_DICOM_PORT``."""
    return f"PACS_{name.upper()}"
