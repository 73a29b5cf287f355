"""Content Credentials (C2PA) for what is generated: whose key, which claim, signed into the file.

`keys` loads the operator's certificates and key and refuses what could not sign, `claim` says what
is claimed of an image, `signing` writes it into PNG, JPEG and WebP, `development` makes a chain to
try it all with. Reading, of these and of everybody else's, is `attribution.images.credentials`.
"""

from attribution.provenance.claim import GenerationClaim
from attribution.provenance.keys import Sign, Signer, load_signer, load_trust_anchors
from attribution.provenance.signing import sign

__all__ = [
    "GenerationClaim",
    "Sign",
    "Signer",
    "load_signer",
    "load_trust_anchors",
    "sign",
]
