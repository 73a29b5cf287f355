"""What signs statements: the operator's key, or else one that the installation makes for itself.

Its certificate is its own issuer, so that nobody but whoever knows the key vouches for it.
Generated pictures are not signed with it: Content Credentials want an issuer that readers
can trust.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from attribution.config import Settings
from attribution.errors import BadInput
from attribution.provenance.development import CHAIN, KEY
from attribution.provenance.keys import Signer, load_signer

FOLDER = "evidence"  # below LAWFUL_HOME
NAME = "Lawful Diffusion evidence key"
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280: it has no end


def statement_signer(settings: Settings) -> Signer:
    """Return what signs statements: LAWFUL_SIGN_CERT where it is set, else the own key.

    That one is made when it is first needed. Raises BadInput.
    """
    if signer := load_signer(settings):
        return signer
    folder = settings.home / FOLDER
    try:
        if not folder.exists():
            _make(folder)
        return Signer((folder / CHAIN).read_text("ascii"), "ed25519", (folder / KEY).read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the key in {folder} cannot be used: {error}; put it back from a backup, or move the "
            f"folder away: a new key is made then, which nobody knows yet"
        ) from None


def _make(folder: Path) -> None:
    """Make key and certificate; of several processes that do, one wins. Raises OSError."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC).replace(microsecond=0))
        .not_valid_after(NEVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, None)
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(mkdtemp(prefix=".evidence.", dir=folder.parent))  # nobody else's, from the start
    try:
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (new / KEY).write_bytes(secret)
        (new / KEY).chmod(0o600)
        (new / CHAIN).write_bytes(certificate.public_bytes(Encoding.PEM))
        new.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
