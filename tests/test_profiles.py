"""Profiles: names and files lead to encoders, and a fingerprint tells models apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from attribution.encoders.profiles import (
    PROFILES,
    STARTER,
    find_profile,
    fingerprint,
    load_encoders,
)
from attribution.encoders.stub import StubEncoder
from attribution.errors import BadInput, ModelUnavailable

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_STARTER_MB = 25
OWN = """
description = "ours"
[clip]
model = "ViT-B-16"
pretrained = "laion2b_s34b_b88k"
license = "MIT"
[vae]
model = "/models/our-vae"
subfolder = "vae"
size_px = 512
"""


class Changed(StubEncoder):
    """A stub with one fact of its description changed."""

    def __init__(self, **facts: str) -> None:
        self.info = replace(StubEncoder.info, **facts)  # type: ignore[arg-type]  # each fact is a string


def test_unknown_profile_lists_the_known() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(BadInput, match=r"'startr'.*starter, standard, large, flux.*TOML"):
        load_encoders("startr", device="cpu")


@pytest.mark.parametrize("name", PROFILES)
def test_profile_states_its_licences(name: str) -> None:
    """Every model of every profile names its licence, and every profile what it is for."""
    profile = PROFILES[name]

    assert profile.description
    assert "unknown" not in {profile.clip.license, profile.vae.license}


def test_profile_of_ones_own(tmp_path: Path) -> None:
    """A TOML file reaches any architecture, tag, repository and folder."""
    path = tmp_path / "ours.toml"
    path.write_text(OWN, encoding="utf-8")
    profile = find_profile(str(path))

    assert profile.clip.name == "ViT-B-16/laion2b_s34b_b88k"
    assert profile.vae.name == "/models/our-vae/vae"
    assert profile.vae.size_px == 512


@pytest.mark.parametrize("text", ["description = 1 2", "", OWN.replace("size_px", "sise_px")])
def test_broken_profile_names_its_file(tmp_path: Path, text: str) -> None:
    """Broken TOML, a missing field, a misspelt one: the error names the file."""
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(BadInput, match=r"broken\.toml"):
        find_profile(str(path))


def test_unknown_architecture(tmp_path: Path) -> None:
    """An architecture that open_clip does not have is named, with the way to list them."""
    path = tmp_path / "ours.toml"
    path.write_text(OWN.replace("ViT-B-16", "ViT-Z-99"), encoding="utf-8")
    clip, _ = load_encoders(str(path), device="cpu")

    with pytest.raises(BadInput, match=r"'ViT-Z-99'.*list_models"):
        _ = clip.info


# diffusers still passes an argument that the hub's client has dropped
@pytest.mark.filterwarnings("ignore:The `local_dir_use_symlinks` argument:UserWarning")
@pytest.mark.parametrize(
    ("position", "source"), [(0, "ViT-B-32/laion2b_s34b_b79k"), (1, "madebyollin/taesd")]
)
def test_unreachable_weights_tell_every_way_out(
    position: int, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline and not fetched: what is missing, from where, how to get it, and what needs none."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", value=True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    encoder = load_encoders("standard", device="cpu")[position]

    with pytest.raises(ModelUnavailable) as caught:
        _ = encoder.info

    for fact in (source, "lawful models fetch", "HF_HOME", "HF_HUB_OFFLINE=1", "starter"):
        assert fact in str(caught.value)


def test_fingerprint_tells_models_apart() -> None:
    """Other weights or other preprocessing, another fingerprint; another name, the same."""
    original = fingerprint([StubEncoder()])

    assert fingerprint([StubEncoder()]) == original
    assert fingerprint([Changed(revision="2")]) != original
    assert fingerprint([Changed(preprocessing="grey")]) != original
    assert fingerprint([Changed(model="moved", license="MIT")]) == original


def test_starter_is_small() -> None:
    """What every wheel carries stays within its bounds: encoders, and the generator."""
    sizes = {True: 0, False: 0}
    for path in STARTER.rglob("*"):
        if path.is_file():
            sizes["generator" in path.relative_to(STARTER).parts] += path.stat().st_size

    assert 0 < sizes[False] <= LARGEST_STARTER_MB * 10**6
    assert 0 < sizes[True] <= LARGEST_STARTER_MB * 10**6
