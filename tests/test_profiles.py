"""Profiles: files lead to lists of encoders, and a fingerprint tells models apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from attribution.config import Settings
from attribution.encoders.encoder import Lane
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import (
    FREE,
    STARTER,
    find_profile,
    known_profiles,
    load_encoders,
)
from attribution.encoders.stub import StubEncoder
from attribution.encoders.vae import VaeSpec
from attribution.errors import BadInput, ModelUnavailable

LARGEST_STARTER_MB = 25
BUILT_IN = ("starter", "standard", "large", "flux")
OWN = """
[ours]
description = "ours"
[[ours.encoders]]
kind = "open_clip"
model = "ViT-B-16"
pretrained = "laion2b_s34b_b88k"
license = "MIT"
[[ours.encoders]]
kind = "vae"
model = "./our-vae"
subfolder = "vae"
size_px = 512
license = "MIT"
"""
THIRD = """
[ours]
extends = "starter"
description = "the bundled models, and one that knows forms"
[[ours.encoders]]
kind = "timm"
model = "vit_small_patch14_dinov2.lvd142m"
vector = "dinov2"
lane = "content"
license = "Apache-2.0"
"""


class Changed(StubEncoder):
    """A stub with one fact of its description changed."""

    def __init__(self, **facts: object) -> None:
        self.info = replace(StubEncoder.info, **facts)  # type: ignore[arg-type]  # of any type


def own(tmp_path: Path, text: str, **more: object) -> Settings:
    """Return settings with a file of profiles."""
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return Settings(profile="ours", profiles=path, **more)  # type: ignore[arg-type]  # of any type


def test_unknown_profile_lists_the_known(tmp_path: Path) -> None:
    """A wrong name is answered with the right ones, the user's too."""
    with pytest.raises(BadInput, match=r"'startr'.*starter, standard, large, flux, ours;.*TOML"):
        load_encoders(own(tmp_path, OWN), "startr")


@pytest.mark.parametrize("name", BUILT_IN)
def test_profiles_of_the_package_need_no_acceptance(name: str) -> None:
    """Every model of every profile has a free licence, and every profile says what it is for."""
    profile = known_profiles(Settings())[name]

    assert profile.description
    assert set(profile.licences) <= FREE


def test_profile_of_ones_own(tmp_path: Path) -> None:
    """A TOML file reaches any architecture, tag, repository and folder, also one beside it."""
    clip, vae = find_profile(own(tmp_path, OWN), "ours").encoders
    assert isinstance(vae, VaeSpec)

    assert clip.name == "ViT-B-16/laion2b_s34b_b88k"
    assert vae.source == f"{tmp_path / 'our-vae'}/vae"
    assert vae.name == "our-vae/vae"
    assert vae.size_px == 512


def test_a_third_encoder_is_ten_lines(tmp_path: Path) -> None:
    """A profile that extends another has its encoders, and then its own."""
    profile = find_profile(own(tmp_path, THIRD), "ours")

    assert len(THIRD.strip().splitlines()) <= 10
    assert [spec.kind for spec in profile.encoders] == ["open_clip", "vae", "palette", "timm"]
    lanes = {name: lane for spec in profile.encoders for name, lane in spec.lanes.items()}
    assert lanes == {
        "clip": Lane.CONTENT,
        "clip_style": Lane.STYLE,
        "vae_style": Lane.STYLE,
        "vae_layout": Lane.COPY,
        "palette": Lane.STYLE,
        "dinov2": Lane.CONTENT,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ours = 1 2", "own.toml"),
        ("ours = 1", "'ours' is no table"),
        ("[ours]\ndescription = 'x'", "encoders: Field required"),
        (OWN.replace("size_px", "sise_px"), r"encoders.1.vae.sise_px: Extra inputs"),
        (OWN.replace('"vae"\nmodel', '"wae"\nmodel'), "wae"),
        (OWN.replace("size_px = 512", "size_px = 5"), "size_px"),
        (OWN.replace('license = "MIT"', "", 1), "license: Field required"),
        (THIRD.replace('dinov2"\nlane', 'clip"\nlane'), "two encoders give a vector 'clip'"),
        (THIRD.replace('dinov2"\nlane', 'Dino v2"\nlane'), "vector"),
        (THIRD.replace('lane = "content"', ""), "lane: Field required"),
        (
            THIRD.replace('"content"', '"copy"').replace('extends = "starter"', ""),
            "none of its vectors names artists",
        ),
        (THIRD.replace('"starter"', '"startr"'), "extends 'startr'; it may extend one of"),
        (THIRD.replace('"starter"', '"ours"'), "extends 'ours'; it may extend one of"),
        (OWN.replace("ours", "starter"), "'starter' is a profile of the package"),
    ],
)
def test_broken_profiles_name_their_file_and_place(tmp_path: Path, text: str, says: str) -> None:
    """What cannot be read, is missing, misspelt, or meant twice: the error says where."""
    with pytest.raises(BadInput, match=says) as caught:
        find_profile(own(tmp_path, text), "ours")

    assert "own.toml" in str(caught.value)


def test_missing_file_of_profiles_is_named(tmp_path: Path) -> None:
    """LAWFUL_PROFILES of a file that is not there."""
    with pytest.raises(BadInput, match=r"gone\.toml: .*No such file"):
        find_profile(Settings(profiles=tmp_path / "gone.toml"), "starter")


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", "apple-amlr", "unknown", "mit"])
def test_licences_that_may_forbid_are_accepted_by_name(tmp_path: Path, licence: str) -> None:
    """What is not known to be free is refused until it is named, before anything loads."""
    text = THIRD.replace('license = "Apache-2.0"', f'license = "{licence}"')

    with pytest.raises(BadInput, match=f"'{licence}'.*LAWFUL_ACCEPT_LICENCES"):
        load_encoders(own(tmp_path, text))

    assert len(list(load_encoders(own(tmp_path, text, accept_licences=[licence])))) == 4


def test_unknown_architecture(tmp_path: Path) -> None:
    """An architecture that open_clip does not have is named, with the way to list them."""
    clip, _ = load_encoders(own(tmp_path, OWN.replace("ViT-B-16", "ViT-Z-99")))

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
    encoder = list(load_encoders(Settings(), "standard"))[position]

    with pytest.raises(ModelUnavailable) as caught:
        _ = encoder.info

    for fact in (source, "lawful models fetch", "HF_HOME", "HF_HUB_OFFLINE=1", "starter"):
        assert fact in str(caught.value)


def test_fingerprint_tells_models_apart() -> None:
    """Other weights, preprocessing or lanes, another fingerprint; another name, the same."""
    lanes = {**StubEncoder.info.lanes, "vae_layout": Lane.STYLE}
    original = EncoderSet([StubEncoder()]).fingerprint

    assert EncoderSet([StubEncoder()]).fingerprint == original
    assert EncoderSet([Changed(revision="2")]).fingerprint != original
    assert EncoderSet([Changed(preprocessing="grey")]).fingerprint != original
    assert EncoderSet([Changed(lanes=lanes)]).fingerprint != original
    assert EncoderSet([Changed(model="moved", license="MIT")]).fingerprint == original


def test_starter_is_small() -> None:
    """What every wheel carries stays within its bounds: encoders, and the generator."""
    sizes = {True: 0, False: 0}
    for path in STARTER.rglob("*"):
        if path.is_file():
            sizes["generator" in path.relative_to(STARTER).parts] += path.stat().st_size

    assert 0 < sizes[False] <= LARGEST_STARTER_MB * 10**6
    assert 0 < sizes[True] <= LARGEST_STARTER_MB * 10**6
