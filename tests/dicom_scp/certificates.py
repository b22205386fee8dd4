"""Certificates for tests: a hospital's CA and what it signs, as PEM files."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path


@dataclass
class Authority:
    """A CA in ``folder``; ``ca`` is its certificate."""

    folder: Path
    name: str = "Hospital CA"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.pem"
        certificate = self._signed(self.name, self.key.public_key(), timedelta(days=1), is_ca=True)
        self.ca.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str, *, until: timedelta = timedelta(days=1)) -> Pair:
        """A certificate for ``name`` that ends ``until`` from now; the same name again overwrites it."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        certificate = self._signed(name, key.public_key(), until, is_ca=False)
        pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        return pair

    def _signed(self, name: str, key: ec.EllipticCurvePublicKey, until: timedelta, *, is_ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
