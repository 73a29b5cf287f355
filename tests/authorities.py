"""A timestamp authority (RFC 3161) on loopback, with a root of its own; a server's certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from rfc3161_client._rust import parse_timestamp_request

SIGNED_DATA, TST_INFO = (
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02",
    bytes.fromhex("2a864886f70d0109100104"),
)
CONTENT_TYPE, DIGEST = bytes.fromhex("2a864886f70d010903"), bytes.fromhex("2a864886f70d010904")
SHA256, ECDSA = bytes.fromhex("608648016503040201"), bytes.fromhex("2a8648ce3d040302")
POLICY = bytes.fromhex("2a0304")
SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Authority:
    """Where it is, and who vouches for it."""

    url: str
    root: Path  # PEM


@contextmanager
def authority(folder: Path, *, says: bytes | None = None) -> Iterator[Authority]:
    """Run an authority until the block ends; `says` is what it answers in place of a timestamp."""
    key, certificate, root = _certified()
    path = folder / "authority.pem"
    path.write_bytes(root.public_bytes(Encoding.PEM))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"]))
            answer = says or _stamped(asked, key, certificate)
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Authority(f"http://127.0.0.1:{server.server_port}/", path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certified() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate, x509.Certificate]:
    """Return the key of an authority, its certificate, and the root that signed that."""
    key, root_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    root = _certificate("Test root", root_key, "Test root", root_key)
    root_certificate = root.add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    ).sign(root_key, hashes.SHA256())
    own = _certificate("Test authority", key, "Test root", root_key)
    own = own.add_extension(stamping, critical=True).add_extension(SIGNS, critical=True)
    return key, own.sign(root_key, hashes.SHA256()), root_certificate


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, by: str, issuer: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    named, issued = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, by)
    )
    now = datetime.now(UTC)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issued)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
    )


def _stamped(asked: bytes, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    """Answer a request: DER, as RFC 3161 and RFC 5652 say it."""
    request = parse_timestamp_request(asked)
    imprint = _seq(_seq(_tlv(6, SHA256)), _tlv(4, request.message_imprint.message))
    at = _tlv(24, f"{datetime.now(UTC):%Y%m%d%H%M%SZ}".encode())
    info = _seq(_int(1), _tlv(6, POLICY), imprint, _int(1), at, _int(request.nonce or 0))
    attributes = _attribute(CONTENT_TYPE, _tlv(6, TST_INFO)) + _attribute(
        DIGEST, _tlv(4, sha256(info).digest())
    )
    signer = _seq(
        _int(1),
        _seq(certificate.issuer.public_bytes(), _int(certificate.serial_number)),
        _seq(_tlv(6, SHA256)),
        _tlv(0xA0, attributes),
        _seq(_tlv(6, ECDSA)),
        _tlv(4, key.sign(_tlv(0x31, attributes), ec.ECDSA(hashes.SHA256()))),
    )
    signed = _seq(
        _int(3),
        _tlv(0x31, _seq(_tlv(6, SHA256))),
        _seq(_tlv(6, TST_INFO), _tlv(0xA0, _tlv(4, info))),
        _tlv(0xA0, certificate.public_bytes(Encoding.DER)),
        _tlv(0x31, signer),
    )
    token = _seq(_tlv(6, SIGNED_DATA), _tlv(0xA0, signed))
    return _seq(_seq(_int(0)), token)


def _attribute(kind: bytes, value: bytes) -> bytes:
    return _seq(_tlv(6, kind), _tlv(0x31, value))


def _seq(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _int(number: int) -> bytes:
    return _tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _tlv(tag: int, body: bytes) -> bytes:
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(size)]) + size + body


def certificate(folder: Path, name: str) -> Path:
    """Make a certificate that vouches for itself, with its key."""
    key, today = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        Encoding.PEM,
        PrivateFormat.PKCS8,
        NoEncryption(),
    )
    chain = folder / "chain.pem"
    chain.write_bytes(private + made.public_bytes(Encoding.PEM))
    return chain
