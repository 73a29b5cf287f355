"""Models run by what is fastest on a machine, of what gives the numbers that others give."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from api.cli import app
from attribution.config import Settings
from attribution.encoders import runtimes
from attribution.encoders.clip import ClipSpec
from attribution.encoders.encoder import Encoder
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.encoders.runtimes import Runtime
from attribution.encoders.spec import Spec
from attribution.encoders.tuned import CHOICES, Machine, Tuned
from attribution.encoders.vae import VaeSpec
from attribution.errors import BadInput
from attribution.images import read_image_file
from attribution.laboratory import tuning
from attribution.laboratory.tuning import LEAST_COSINE, Trial, fastest, tune
from tests import checkpoints

EXAMPLES = Path(__file__).parent.parent / "examples" / "portfolio"


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    """Return works of several artists."""
    return [read_image_file(path).rgb for path in sorted(EXAMPLES.glob("*/*.png"))[:40]]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings of a profile with a VAE of random weights, in a home of its own."""
    folder = tmp_path_factory.mktemp("tuning")
    checkpoints.save_vaes(folder)
    profiles = folder / "profiles.toml"
    profiles.write_text(
        '[ours]\ndescription = "ours"\n[[ours.encoders]]\nkind = "vae"\nmodel = "./tiny"\n'
        'architecture = "AutoencoderTiny"\nsize_px = 32\nlicense = "MIT"\n',
        encoding="utf-8",
    )
    return Settings(home=folder, profile="ours", profiles=profiles)


@pytest.fixture(scope="module")
def trials(settings: Settings, images: Sequence[Image.Image]) -> list[Trial]:
    """Tune that profile once."""
    return tune(settings, "ours", images, lambda *_: None)


def trial(runtime: Runtime, alone: float, batch: float, refused: str = "") -> Trial:
    """Return what a runtime did."""
    return Trial("m", "k", runtime, alone, batch, 1.0, 1.0, refused)


def test_every_runtime_is_tried_and_float32_is_what_they_are_held_against(
    trials: Sequence[Trial],
) -> None:
    """Float32 by another library gives the same vectors; one of all is chosen, none is refused."""
    by_runtime = {one.runtime: one for one in trials}

    assert list(by_runtime) == runtimes.possible("cpu")
    assert by_runtime[Runtime.OPENVINO].cosine == pytest.approx(1, abs=1e-5)
    assert not by_runtime[Runtime.OPENVINO].refused
    assert sum(one.is_chosen for one in trials) == 1
    assert not [one for one in trials if one.is_chosen and one.refused]
    assert all(one.batch_per_s > 0 for one in trials if not one.refused)


def test_the_starters_clip_is_refused_in_bfloat16(images: Sequence[Image.Image]) -> None:
    """Its small stages lose too much, so what would be fastest for other models is not used."""
    by_float32 = next(iter(load_encoders(Settings())))
    by_bfloat16 = next(iter(load_encoders(Settings(), tried=Runtime.TORCH_BFLOAT16)))
    few = images[:8]
    exact, narrow = by_float32.encode(few), by_bfloat16.encode(few)

    worst = {name: float((narrow[name] * exact[name]).sum(1).min()) for name in exact}
    lengths = np.concatenate([np.linalg.norm(rows, axis=1) for rows in narrow.values()])
    assert min(worst.values()) < LEAST_COSINE
    assert lengths == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([trial(Runtime.OPENVINO, 2, 30)], Runtime.OPENVINO),
        ([trial(Runtime.OPENVINO, 2, 30, "cosine below 0.9995")], Runtime.TORCH),
        ([trial(Runtime.OPENVINO, 0.5, 30)], Runtime.TORCH),  # a lookup would be slower
        ([trial(Runtime.OPENVINO, 2, 10.2)], Runtime.TORCH),  # noise
        ([trial(Runtime.OPENVINO, 2, 30), trial(Runtime.TORCH_BFLOAT16, 2, 40)], "torch bfloat16"),
    ],
)
def test_the_fastest_of_what_is_right_is_chosen(others: list[Trial], expected: str) -> None:
    """Never what was refused, nor what makes a lone image wait."""
    assert fastest([trial(Runtime.TORCH, 1, 10), *others]).runtime == expected


def encoder(settings: Settings, runtime: Runtime) -> tuple[Encoder, Tuned, str]:
    """Return the VAE as it is loaded on a machine where this runtime was chosen."""
    (own,) = load_encoders(settings)
    tuned = Tuned(settings.home, "cpu")
    key = spec_of(settings).key(own.info.revision)
    tuned.keep(key, runtime)
    (again,) = load_encoders(settings)
    return again, tuned, key


def spec_of(settings: Settings) -> Spec:
    """Return what the profile says of its VAE."""
    return VaeSpec(
        model=str(settings.home / "tiny"),
        architecture="AutoencoderTiny",
        size_px=32,
        license="MIT",
    )


def test_machines_tuned_otherwise_share_a_collection(
    settings: Settings, images: Sequence[Image.Image]
) -> None:
    """What a collection remembers is the class of numbers, not who computed them."""
    narrow, _, _ = encoder(settings, Runtime.TORCH_BFLOAT16)
    exact = spec_of(settings).encoder("cpu")

    assert EncoderSet([narrow]).fingerprint == EncoderSet([exact]).fingerprint
    assert not all(
        np.array_equal(rows, exact.encode(images[:2])[name])
        for name, rows in narrow.encode(images[:2]).items()
    )


def test_what_was_chosen_elsewhere_or_is_damaged_is_not_used(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Another processor, an upgrade, a missing form, a broken file: float32 of torch as ever."""
    _, tuned, key = encoder(settings, Runtime.TORCH_BFLOAT16)
    other = Tuned(settings.home, "cpu")
    vars(other)["machine"] = Machine(processor="another", device="cpu", versions={})

    assert Tuned(settings.home, "cpu").runtime(key) is Runtime.TORCH_BFLOAT16
    assert other.runtime(key) is Runtime.TORCH
    assert Tuned(settings.home, "cuda").runtime(key) is Runtime.TORCH

    tuned.keep(key, Runtime.OPENVINO)
    tuned.forget(key)
    assert Tuned(settings.home, "cpu").runtime(key) is Runtime.TORCH

    (tuned.folder / CHOICES).write_text('{"machine"', encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert Tuned(settings.home, "cpu").runtime(key) is Runtime.TORCH
    assert "lawful tune" in caplog.text


def test_training_and_other_sizes_do_not_take_the_choice(settings: Settings) -> None:
    """An encoder without choices is float32, and a choice is of one model as it is used."""
    spec = spec_of(settings)

    assert spec.key("0" * 64) != spec.model_copy(update={"size_px": 64}).key("0" * 64)
    assert spec.key("0" * 64) != spec.key("1" * 64)
    assert spec.key("0" * 64) == spec.model_copy(update={"model": "elsewhere"}).key("0" * 64)


def test_a_styled_clip_is_converted_with_its_statistics(
    tmp_path: Path, images: Sequence[Image.Image]
) -> None:
    """Both vectors come out of the other form, for any number of images."""
    model = checkpoints.save_clip(tmp_path / "clip")
    spec = ClipSpec(model=model, style=True, license="MIT")
    converted = spec.encoder("cpu", Tuned(tmp_path, "cpu", Runtime.OPENVINO))
    exact = spec.encoder("cpu").encode(images[:5])

    for name, rows in converted.encode(images[:5]).items():
        assert rows == pytest.approx(exact[name], abs=1e-4), name
    assert [len(rows) for rows in converted.encode(images[:1]).values()] == [1, 1]


def test_openvino_tells_nobody_of_what_is_done(trials: Sequence[Trial]) -> None:
    """Its package would send every import and conversion to its makers."""
    assert trials
    assert sys.modules["openvino_telemetry"] is None


def test_a_model_that_cannot_be_converted_stays_with_torch(
    settings: Settings, images: Sequence[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is in the table, and the others are tried."""

    def fails(*_: object) -> None:
        raise RuntimeError("no such operation\nat length")

    monkeypatch.setattr(runtimes, "_convert", fails)
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    tried = {one.runtime: one for one in tune(settings, "ours", images, lambda *_: None)}

    assert tried[Runtime.OPENVINO].refused == "does not run: no such operation"
    assert not tried[Runtime.OPENVINO].is_chosen


def test_the_command_shows_what_was_tried_and_forgets(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON with every number; --forget goes back to float32."""
    monkeypatch.setattr(tuning, "possible", lambda _: [Runtime.TORCH, Runtime.TORCH_BFLOAT16])
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    environment = {
        "LAWFUL_HOME": str(settings.home),
        "LAWFUL_PROFILE": "ours",
        "LAWFUL_PROFILES": str(settings.profiles),
    }
    shown = CliRunner().invoke(app, ["tune", "--json"], env=environment, catch_exceptions=False)

    document = json.loads(shown.stdout)
    assert document["device"] == "cpu"
    assert [one["runtime"] for one in document["trials"]] == ["torch float32", "torch bfloat16"]
    assert Tuned(settings.home, "cpu").runtimes

    table = CliRunner().invoke(app, ["tune"], env=environment, catch_exceptions=False)
    assert "bfloat16" in table.stdout

    gone = CliRunner().invoke(app, ["tune", "--forget"], env=environment, catch_exceptions=False)
    assert gone.stdout == "forgotten\n"
    assert not Tuned(settings.home, "cpu").runtimes


def test_too_few_images_are_refused(settings: Settings) -> None:
    """Neighbours among a handful say nothing."""
    with pytest.raises(BadInput, match="32 images or more, got 1"):
        tune(settings, "ours", [Image.new("RGB", (8, 8))], lambda *_: None)


def test_accelerators_are_tried_in_half_precision() -> None:
    """Not by what runs on processors alone."""
    assert runtimes.possible("cuda:0") == [
        Runtime.TORCH,
        Runtime.TORCH_BFLOAT16,
        Runtime.TORCH_FLOAT16,
    ]
    assert runtimes.possible("mps") == [Runtime.TORCH]


def test_half_precision_is_given_back_as_float32() -> None:
    """Whatever a model computes in, what follows is computed in float32."""

    class Double(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
            return (pixels * 2,)

    (rows,) = runtimes.forward(Double(), Runtime.TORCH_FLOAT16, Path())(torch.ones(1, 3, 2, 2))

    assert rows.dtype is torch.float32
    assert rows.tolist() == torch.full((1, 3, 2, 2), 2.0).tolist()
