"""Profiles: named sets of encoders. A collection belongs to one, by the fingerprint of its weights.

`LAWFUL_PROFILE` names one of `PROFILES`, or a TOML file with the same fields:

    description = "ours"
    [clip]
    model = "ViT-B-16"
    pretrained = "laion2b_s34b_b88k"
    license = "MIT"
    [vae]
    model = "/models/our-vae"
    kind = "AutoencoderKL"
    size_px = 512
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from attribution.encoders.clip import ClipEncoder, ClipSpec
from attribution.encoders.encoder import Encoder
from attribution.encoders.stub import StubEncoder
from attribution.encoders.vae import VaeEncoder, VaeSpec
from attribution.errors import BadInput

STARTER = Path(str(files("attribution.starter")))
STARTER_VAE_SIZE_PX = 128
STUB = "stub"


@dataclass(frozen=True)
class Profile:
    """A CLIP, a VAE, and what they are for."""

    description: str
    clip: ClipSpec
    vae: VaeSpec


VIT_L = ClipSpec("ViT-L-14", "laion2b_s32b_b82k", license="MIT")

PROFILES = {
    "starter": Profile(
        "bundled models, trained on a thousand clip-art works; no download: for trying out",
        ClipSpec(f"local-dir:{STARTER / 'clip'}", license="Apache-2.0"),
        VaeSpec(str(STARTER / "vae"), size_px=STARTER_VAE_SIZE_PX, license="Apache-2.0"),
    ),
    "standard": Profile(
        "for a CPU: a general CLIP and a tiny VAE",
        ClipSpec("ViT-B-32", "laion2b_s34b_b79k", license="MIT"),
        VaeSpec("madebyollin/taesd", kind="AutoencoderTiny", size_px=256, license="MIT"),
    ),
    "large": Profile(
        "for a GPU: a larger CLIP and Stable Diffusion's VAE",
        VIT_L,
        VaeSpec("stabilityai/sd-vae-ft-mse", size_px=512, license="MIT"),
    ),
    "flux": Profile(
        "for a GPU: the space that FLUX.1-schnell paints in",
        VIT_L,
        VaeSpec(
            "black-forest-labs/FLUX.1-schnell", subfolder="vae", size_px=512, license="Apache-2.0"
        ),
    ),
}


def load_encoders(profile: str, *, device: str) -> tuple[Encoder, ...]:
    """Return a profile's encoders; weights are read on first use.

    `profile` is a name of `PROFILES`, the path of a TOML file, or "stub" (for tests). Raises
    BadInput for anything else.
    """
    if profile == STUB:
        return (StubEncoder(),)
    chosen = find_profile(profile)
    return ClipEncoder(chosen.clip, device=device), VaeEncoder(chosen.vae, device=device)


def find_profile(name: str) -> Profile:
    """Return a named profile, or one from a TOML file; raises BadInput."""
    if name in PROFILES:
        return PROFILES[name]
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise BadInput(
            f"no profile {name!r}; known: {', '.join(PROFILES)}, or the path of a TOML file"
        )
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        return Profile(fields["description"], ClipSpec(**fields["clip"]), VaeSpec(**fields["vae"]))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: {error}; docs/models.md shows the fields") from None


def models_of(profile: str) -> tuple[str, ...]:
    """Return what people call the models of a profile; nothing is loaded. Raises BadInput."""
    if profile == STUB:
        return (STUB,)
    if profile == "starter":
        return ("starter CLIP", "starter VAE")  # their paths say less
    chosen = find_profile(profile)
    return chosen.clip.name, chosen.vae.name


def fingerprint(encoders: Sequence[Encoder]) -> str:
    """Return the SHA-256 of everything that changes a vector: weights, preprocessing, widths.

    Names, licences and paths are left out: the same weights from elsewhere are the same model.
    """
    facts = []
    for encoder in encoders:
        info = asdict(encoder.info)
        facts.append({key: info[key] for key in ("vectors", "revision", "preprocessing")})
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
