"""DIMSE over TLS, with DCMTK and pynetdicom as peers."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom.ae import ApplicationEntity

from dicom_scp.outgoing import Outgoing, Patience
from dicom_scp.tls import Tls, TlsFiles
from pacs.errors import Misconfigured, Unavailable
from pacs.modalities import Admitted, Destination, Modality, Roster
from tests.dicom_scp.certificates import Authority, Pair

VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA that the archive trusts."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA that it does not."""
    return Authority(tmp_path_factory.mktemp("other"), "Other CA")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> TlsFiles:
    """What the archive shows, in files of its own."""
    pair = authority.issue("archive")
    certificate, key = tmp_path / "archive.pem", tmp_path / "archive.key"
    certificate.write_bytes(pair.certificate.read_bytes())
    key.write_bytes(pair.key.read_bytes())
    return TlsFiles(certificate, key, authority.ca)


@pytest.fixture
def secure(start: Any, files: TlsFiles) -> Any:
    """A receiver with TLS; its plain port is there too."""
    return start(tls=Tls(files))


@pytest.fixture
def scu(dcmtk: Any, authority: Authority, secure: Any) -> Callable[..., int]:
    """Runs a DCMTK requestor against the TLS port, as ``pair`` that trusts ``ca``; its exit code."""

    def run(program: str, *arguments: object, pair: Pair | None, ca: Path = authority.ca) -> int:
        how = ("+tls", pair.key, pair.certificate) if pair else ("+tla",)
        ended = dcmtk(
            program, *how, "+cf", ca, "-aec", "PACS", "127.0.0.1", secure.secure_port, *arguments
        )  # +cf: the CAs it trusts
        return int(ended.returncode)

    return run


def test_a_modality_with_a_certificate_stores(secure: Any, scu: Any, authority: Authority, pydicom_file: Any) -> None:
    """C-ECHO and C-STORE by DCMTK over mutual TLS; each data set arrives whole, large ones too."""
    files = [pydicom_file(name) for name in ("CT_small.dcm", "examples_rgb_color.dcm", "examples_palette.dcm")]
    ct = authority.issue("ct")
    assert scu("echoscu", pair=ct) == 0
    assert scu("storescu", *files, pair=ct) == 0
    stored = b"".join(secure.data_sets())
    assert len(secure.instances()) == len(files)
    assert all(dcmread(path).PixelData in stored for path in files)


def test_without_a_certificate_nobody_comes_in(scu: Any) -> None:
    """Mutual by default: who shows no certificate is refused."""
    assert scu("echoscu", pair=None) != 0


def test_a_certificate_of_another_ca_is_refused(scu: Any, stranger: Authority) -> None:
    """Anybody can make certificates; only those of our CA count."""
    assert scu("echoscu", pair=stranger.issue("ct")) != 0


def test_an_expired_certificate_is_refused(scu: Any, authority: Authority) -> None:
    """A certificate counts until its end."""
    assert scu("echoscu", pair=authority.issue("late", until=timedelta(days=-1))) != 0


def test_a_modality_refuses_an_archive_of_another_ca(scu: Any, authority: Authority, stranger: Authority) -> None:
    """The archive proves itself too."""
    assert scu("echoscu", pair=authority.issue("ct"), ca=stranger.ca) != 0


def test_without_mutual_a_modality_needs_no_certificate(start: Any, files: TlsFiles, dcmtk: Any) -> None:
    """When the operator says so, TLS only hides what is sent."""
    running = start(tls=Tls(TlsFiles(files.certificate, files.key, None, mutual=False)))
    arguments = ("+tla", "-ic", "-aec", "PACS", "127.0.0.1", running.secure_port)
    assert dcmtk("echoscu", *arguments).returncode == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_bcp_195(secure: Any, authority: Authority, version: ssl.TLSVersion) -> None:
    """TLS 1.3, and 1.2 with an ephemeral key exchange and authenticated encryption."""
    with shaken(secure.secure_port, authority, version) as connection:
        cipher = connection.cipher()
        assert connection.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2"}.get(version, "TLSv1.3")
        assert cipher is not None
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]


@pytest.mark.parametrize("suites", ["ECDHE+AES:!AESGCM", "kRSA", "AES128-SHA"])
def test_weak_suites_of_tls_1_2_are_refused(secure: Any, authority: Authority, suites: str) -> None:
    """CBC and key exchange without forward secrecy are not BCP 195's."""
    with pytest.raises(OSError, match=r"(?i)handshake|cipher"):
        shaken(secure.secure_port, authority, ssl.TLSVersion.TLSv1_2, suites=suites).close()


def shaken(port: int, authority: Authority, version: ssl.TLSVersion, *, suites: str = "DEFAULT") -> ssl.SSLSocket:
    """A TLS connection of exactly this version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority.ca)
    pair = authority.issue("probe")
    context.load_cert_chain(pair.certificate, pair.key)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(suites)
    connection = socket.create_connection(("127.0.0.1", port), 5)
    try:
        return context.wrap_socket(connection)
    except OSError:
        connection.close()
        raise


def test_a_renewed_certificate_is_shown_without_restart(
    secure: Any, files: TlsFiles, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """The next association sees the new certificate; a file that is none leaves the old one, and the log says so."""

    def shown() -> bytes | None:
        with shaken(secure.secure_port, authority, ssl.TLSVersion.TLSv1_3) as connection:
            return connection.getpeercert(binary_form=True)

    first = shown()
    renewed = authority.issue("archive")
    files.key.write_bytes(renewed.key.read_bytes())
    files.certificate.write_bytes(renewed.certificate.read_bytes())
    second = shown()
    assert first != second
    files.certificate.write_text("nothing")
    assert shown() == second
    assert "stays as it was" in caplog.text


def test_hand_shakes_that_hang_harm_nobody(secure: Any, scu: Any, authority: Authority) -> None:
    """Peers that connect and say nothing, or half a greeting, keep no other one waiting."""
    silent = [socket.create_connection(("127.0.0.1", secure.secure_port), 5) for _ in range(8)]
    for half in silent[::2]:
        half.sendall(b"\x16\x03\x01\x02")
    began = time.monotonic()
    assert scu("echoscu", pair=authority.issue("ct")) == 0
    assert time.monotonic() - began < 5
    for one in silent:
        one.close()


def test_no_tls_on_the_tls_port_is_refused(secure: Any, dcmtk: Any) -> None:
    """A modality with the wrong port is cut off, and the receiver goes on."""
    assert dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", secure.secure_port).returncode != 0
    assert dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", secure.port).returncode == 0


def test_who_is_registered_with_tls_comes_over_tls_only(
    start: Any, files: TlsFiles, dcmtk: Any, authority: Authority
) -> None:
    """An AE title that has a certificate cannot be played by somebody without."""
    running = start(tls=Tls(files), admit=lambda *_: Admitted("default", tls=True))
    pair = authority.issue("ct")
    secured = ("+tls", pair.key, pair.certificate, "+cf", authority.ca, "-aec", "PACS", "127.0.0.1")
    assert dcmtk("echoscu", *secured, running.secure_port).returncode == 0
    plain = dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", running.port)
    assert "Calling AE Title Not Recognized" in plain.stdout + plain.stderr


@pytest.fixture
def peer(authority: Authority) -> Any:
    """A Verification SCP that wants certificates of our CA; its port."""
    pair = authority.issue("peer")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    entity = ApplicationEntity("PEER")
    entity.require_called_aet = True
    entity.require_calling_aet = ["PACS"]
    entity.add_supported_context(VERIFICATION)
    with serving(entity, context) as port:
        yield port


@contextmanager
def serving(entity: ApplicationEntity, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A pynetdicom server of ``entity`` while the context lasts; its port."""
    server = entity.start_server(("127.0.0.1", 0), block=False, ssl_context=context)
    assert server is not None
    yield server.server_address[1]
    server.shutdown()


def destination(port: int, *, tls: bool = True, ae_title: str = "PEER") -> Destination:
    known = Modality(hospital="default", ae_title=ae_title, address="127.0.0.1", port=port, tls=tls)
    return Roster({"PACS": "default"}, (known,)).reach("default", ae_title)


def test_we_call_a_peer_over_tls(peer: int, files: TlsFiles) -> None:
    """A registered peer is called with our certificate, and known by our CA."""
    assert Outgoing(tls=Tls(files)).echo(destination(peer)) == 0


def test_we_do_not_call_whom_another_ca_signed(peer: int, authority: Authority, stranger: Authority) -> None:
    """A peer that cannot prove itself gets nothing; neither does it answer us without our certificate."""
    ours = authority.issue("archive")
    untrusting = Tls(TlsFiles(ours.certificate, ours.key, stranger.ca))
    with pytest.raises(Unavailable, match="does not answer"):
        Outgoing(tls=untrusting).echo(destination(peer))
    with pytest.raises(Misconfigured, match="CERTIFICATE"):
        Outgoing().echo(destination(peer))


# pynetdicom forgets to close the socket of a refused connection; the interpreter does so at once
@pytest.mark.filterwarnings("ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning")
def test_calling_in_vain_says_why() -> None:
    """Nobody there, one that hangs, and one that rejects us are told apart as far as they can be."""
    patience = Patience(association=0.5, response=0.5, silence=0.5)
    echo: Callable[[Destination], int] = partial(Outgoing.echo, Outgoing(patience=patience))
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        port = hanging.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(Unavailable, match=f"PEER at 127.0.0.1:{port} does not answer"):
            echo(destination(port, tls=False))
        assert time.monotonic() - began < 5
    with pytest.raises(Unavailable, match="does not answer"):
        echo(destination(port, tls=False))
    entity = ApplicationEntity("OTHER")
    entity.require_called_aet = True
    entity.add_supported_context(VERIFICATION)
    with serving(entity) as port, pytest.raises(Unavailable, match="rejects us: Called AE title not recogni"):
        echo(destination(port, tls=False))


@pytest.mark.parametrize("missing", ["certificate", "key", "ca"])
def test_files_that_make_no_sense_are_told_at_the_start(files: TlsFiles, missing: str) -> None:
    """A mistake in the settings is one sentence, not a port that refuses everybody."""
    getattr(files, missing).rename(files.key.with_suffix(".gone")) if missing != "ca" else None
    broken = TlsFiles(files.certificate, files.key, None) if missing == "ca" else files
    with pytest.raises(Misconfigured):
        Tls(broken)
