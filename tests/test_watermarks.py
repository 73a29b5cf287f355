"""Watermarks in generated pictures: declared, signed, and read again where metadata are gone."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from api.credentials import VerifiedOut
from attribution import tenants
from attribution.config import Settings
from attribution.errors import ModelUnavailable
from attribution.generation.generator import ImageRequest
from attribution.generation.recovery import Trace, Verified, verify_credentials
from attribution.generation.trustmark import FILES, TrustMark
from attribution.generation.watermarks import load_watermarker, new_payload
from attribution.images import State
from attribution.images.manifests import active_manifest, assertions, read_manifests
from attribution.services import Services, open_services
from ingest.generations import ask, run_generation
from tests.apis import settings
from tests.generators import Copyist
from tests.homes import copy_ingested
from tests.test_recovery import SEAL, art, file_of
from tests.watermarks import GridMarker, cells

MARKER = GridMarker()


@dataclass(frozen=True)
class Marked:
    """A picture that a service drew, watermarked, signed and kept."""

    services: Services
    generation_id: UUID
    png: bytes

    @property
    def image(self) -> Image.Image:
        """The picture as it was handed out."""
        return Image.open(io.BytesIO(self.png)).convert("RGB")

    @property
    def payload(self) -> str:
        """The bits that are hidden in it."""
        found = MARKER.read(self.image)
        assert found is not None
        return found

    def verified(self, data: bytes) -> Verified:
        """Ask about a file."""
        return verify_credentials(self.services, data, MARKER)


@pytest.fixture(scope="module")
def marked(ingested_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marked]:
    """Return a picture of a service that watermarks."""
    copied = copy_ingested(ingested_once, tmp_path_factory.mktemp("watermarks"))
    with open_services(settings(copied / "home")) as services:
        studio = replace(
            services.studio,
            generator=Copyist(art(50)),
            load_seal=lambda: SEAL,
            watermarker=MARKER,
        )
        generation_id = ask(services, ImageRequest("a boat", seed=7))
        run_generation(replace(services, studio=studio), generation_id, stopping=lambda: False)
        yield Marked(services, generation_id, services.store.generated(generation_id, 0))


def cut_up(image: Image.Image) -> Image.Image:
    """Turn each cell of the grid upside down: what it shows is gone, how bright it is stays."""
    pixels = np.asarray(image).copy()
    for cell in cells(pixels):
        cell[:] = cell[::-1, ::-1].copy()
    return Image.fromarray(pixels)


def test_the_signed_manifest_declares_the_watermark(marked: Marked) -> None:
    """It stands beside the ISCC, as a soft binding of the algorithm and as an action."""
    said = list(assertions(active_manifest(read_manifests(marked.png))))
    bindings = {data["alg"]: data["blocks"] for label, data in said if "soft-binding" in label}
    actions = [
        one["action"] for label, data in said if "actions" in label for one in data["actions"]
    ]

    assert bindings.keys() == {"io.iscc.v0", MARKER.algorithm}
    assert bindings[MARKER.algorithm] == [{"scope": {}, "value": marked.payload}]
    assert actions == ["c2pa.created", "c2pa.watermarked.bound"]
    assert marked.verified(marked.png).credentials.state is State.UNTRUSTED


def test_the_answer_is_about_the_picture_as_it_is_handed_out(marked: Marked) -> None:
    """What was looked at, and kept, has the watermark."""
    found = marked.verified(file_of(marked.image))

    assert found.recovered
    assert found.recovered.by is Trace.PIXELS


def test_a_watermark_survives_what_a_copy_is_not_recognised_after(marked: Marked) -> None:
    """It leads to the manifest of the picture, and the answer says what it does not show."""
    data = file_of(cut_up(marked.image), "JPEG", quality=70)

    found = marked.verified(data)

    assert found.credentials.state is State.ABSENT
    assert found.recovered
    assert (found.recovered.generation_id, found.recovered.number) == (marked.generation_id, 0)
    assert (found.recovered.by, found.recovered.agreement) == (Trace.WATERMARK, None)
    assert found.recovered.manifest == marked.verified(marked.png).manifest
    assert "holds the watermark of picture 0" in found.summary
    assert "can be put into another picture" in found.summary
    assert "is not a signature of these bytes" in found.summary
    assert VerifiedOut.of(found).model_dump()["recovered"]["agreement"] is None
    assert verify_credentials(marked.services, data, None).recovered is None


def test_what_is_known_by_what_it_shows_is_not_said_by_its_watermark(marked: Marked) -> None:
    """The comparison of pictures shows more, and another watermark on ours does not hide it."""
    forged = MARKER.embed(art(100), marked.payload)
    relabelled = MARKER.embed(marked.image, new_payload(MARKER.capacity))

    assert (found := marked.verified(file_of(forged)).recovered)
    assert found.by is Trace.WATERMARK
    assert (found := marked.verified(file_of(relabelled)).recovered)
    assert (found.by, found.generation_id) == (Trace.NEAR, marked.generation_id)


def test_watermarks_that_lead_nowhere(marked: Marked) -> None:
    """One that nobody drew here, one of another tenant's picture, and none."""
    data = file_of(cut_up(marked.image))
    with tenants.within("other"):
        assert marked.verified(data).recovered is None
    foreign = MARKER.embed(art(100), new_payload(MARKER.capacity))
    assert marked.verified(file_of(foreign)).recovered is None
    assert marked.verified(file_of(art(100))).recovered is None


def test_no_two_pictures_have_the_same_bits() -> None:
    """They are drawn by chance, and are as many as fit."""
    payloads = {new_payload(61) for _ in range(100)}

    assert len(payloads) == 100
    assert {len(one) for one in payloads} == {61}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write weights that nobody has trained, in the form of TrustMark, as if published.

    The decoder reads the same bits out of every picture: PAYLOAD, of which five were misread.
    """
    pytest.importorskip("trustmark", reason="the extra trustmark is not installed")
    import torch
    from omegaconf import OmegaConf
    from trustmark.datalayer import DataLayer
    from trustmark.trustmark import MODEL_CHECKSUMS, instantiate_from_config

    folder = tmp_path_factory.mktemp("trustmark")
    nothing = {"target": "trustmark.model.Identity"}
    unet = {"target": "trustmark.unet.Unet1", "params": {"width": 4, "ndown": 4}}
    reader = {"target": "trustmark.unet.SecretDecoder", "params": {"arch": "resnet18"}}
    parts: dict[str, Any] = {"secret_encoder_config": unet, "secret_decoder_config": reader}
    for name in ("discriminator_config", "loss_config", "noise_config"):
        parts[name] = nothing
    keys = {"cover_key": "image", "secret_key": "secret", "secret_len": 100, "resolution": 256}
    said = {"target": "trustmark.model.TrustMark_Arch", "params": keys | parts}
    (folder / FILES[0]).write_text(json.dumps({"model": said}))
    torch.manual_seed(0)
    model = instantiate_from_config(OmegaConf.create(said))
    packet = DataLayer(100, verbose=False, encoding_mode=1).encode_binary([PAYLOAD])[0]
    packet[:5] = 1 - packet[:5]
    model.decoder.decoder.fc.weight.data.zero_()
    model.decoder.decoder.fc.bias.data = torch.from_numpy(packet) - 0.5
    for name in FILES[1:]:
        torch.save({"state_dict": model.state_dict(), "global_step": 1, "epoch": 1}, folder / name)
    with pytest.MonkeyPatch.context() as patch:
        for name in FILES:
            digest = hashlib.md5((folder / name).read_bytes()).hexdigest()  # noqa: S324
            patch.setitem(MODEL_CHECKSUMS, name, digest)
        yield folder


PAYLOAD = new_payload(TrustMark.capacity)


def test_trustmark_marks_and_reads(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the library itself: the bits come back although five were misread, at any size."""
    marker = load_watermarker(Settings(trustmark=weights))
    assert marker is not None

    for size in ((64, 64), (300, 200)):
        image = art(50).resize(size)
        marked = marker.embed(image, PAYLOAD)
        assert (marked.size, marked.mode) == (size, "RGB")
        assert np.any(np.asarray(marked) != np.asarray(image))
        assert marker.read(marked) == PAYLOAD
    assert marker.binding(PAYLOAD) == f"1*{PAYLOAD}"
    assert capsys.readouterr().out == ""


def test_trustmark_takes_no_other_weights(weights: Path, tmp_path: Path) -> None:
    """What is missing or altered is named, with where it goes; nothing is fetched."""
    with pytest.raises(ModelUnavailable, match=r"trustmark_P.yaml: No such file.*Put "):
        TrustMark(tmp_path, "cpu").load()
    for name in FILES:
        (tmp_path / name).write_bytes((weights / name).read_bytes())
    (tmp_path / FILES[2]).write_bytes(b"other")
    with pytest.raises(ModelUnavailable, match=r"decoder_P.ckpt: its MD5 is .* not the published"):
        TrustMark(tmp_path, "cpu").load()
    assert (tmp_path / FILES[2]).read_bytes() == b"other"


def test_trustmark_names_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is drawn before what is missing is said."""
    monkeypatch.setitem(sys.modules, "trustmark", None)

    with pytest.raises(ModelUnavailable, match=r"lawful-diffusion\[trustmark\]"):
        TrustMark(tmp_path, "cpu").load()
