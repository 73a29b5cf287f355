"""Pictures from words: every family of pipelines, what bad folders get, what is said of consent."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import c2pa
import iscc_lib
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from transformers import CLIPImageProcessor

from attribution.answers import Verdict
from attribution.catalogue import queries
from attribution.config import Settings
from attribution.encoders.descriptors import layout, unit
from attribution.encoders.profiles import STARTER, load_encoders
from attribution.encoders.vae import VaeEncoder
from attribution.errors import BadInput, ModelUnavailable
from attribution.generation.diffusion import DiffusionGenerator
from attribution.generation.generator import Drawing, Drawn, Generator, ImageRequest
from attribution.generation.pipelines import PipelineSpec
from attribution.generation.seal import Seal, load_seal
from attribution.generation.stub import StubGenerator
from attribution.generation.studio import Consent, Withheld, check_request
from attribution.images import read_image
from attribution.images.credentials import read_credentials
from attribution.provenance.identifiers import image_binding
from attribution.services import Services, open_services
from tests.generators import Copyist
from tests.pipelines import CONTEXT, FAMILIES, save_sd
from tests.portfolios import ingest, picture
from tests.signing import development

EXAMPLES = Path(__file__).parent.parent / "examples" / "portfolio"

# Of diffusers and torch to each other.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

BOAT = ImageRequest("a red boat", count=2, seed=7, steps=2, width=64, height=64)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Save a pipeline of every family."""
    home = tmp_path_factory.mktemp("pipelines")
    return {family: save(home / family) for family, save in FAMILIES.items()}


@pytest.fixture(scope="module")
def generators(folders: dict[str, Path]) -> dict[str, Generator]:
    """Every family, each loaded once, and the stub."""
    opened = {
        family: DiffusionGenerator(PipelineSpec(str(folder))) for family, folder in folders.items()
    }
    return {"StubGenerator": StubGenerator(), **opened}


@pytest.fixture(params=["StubGenerator", *FAMILIES])
def generator(request: pytest.FixtureRequest, generators: dict[str, Generator]) -> Generator:
    """One generator at a time."""
    return generators[request.param]


def draw(generator: Generator, request: ImageRequest = BOAT) -> Drawing:
    """Draw without watching."""
    return generator.generate(request, on_step=lambda _done, _steps: None)


def pixels(drawn: Drawn) -> np.ndarray[Any, Any]:
    """Return what was drawn as numbers."""
    assert drawn.image is not None
    return np.asarray(drawn.image, dtype=np.int16)


def test_a_seed_is_a_picture(generator: Generator) -> None:
    """The same seed draws the same picture, alone and beside others; another seed another one."""
    first, second = draw(generator).pictures
    (alone,) = draw(generator, replace(BOAT, seed=8, count=1)).pictures

    assert (first.seed, second.seed, alone.seed) == (7, 8, 8)
    assert np.abs(pixels(second) - pixels(alone)).max() <= 2  # batches round differently
    assert np.abs(pixels(first) - pixels(second)).max() > 2
    assert first.image is not None
    assert (first.image.mode, first.image.size) == ("RGB", (64, 64))


def test_every_step_is_told(generator: Generator) -> None:
    """Steps are counted over all pictures, those of a second batch too."""
    told: list[tuple[int, int]] = []
    request = replace(BOAT, count=6)
    generator.generate(request, on_step=lambda done, steps: told.append((done, steps)))

    last = told[-1][1]
    assert told == [(step, last) for step in range(1, last + 1)]


def test_a_step_can_be_the_last(generator: Generator) -> None:
    """What the watcher raises ends the work at once, and the next request is drawn."""

    class Enough(Exception):
        pass

    def stop(done: int, _steps: int) -> None:
        assert done == 1
        raise Enough

    with pytest.raises(Enough):
        generator.generate(BOAT, on_step=stop)
    assert len(draw(generator).pictures) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_options_change_the_picture(family: str, generators: dict[str, Generator]) -> None:
    """Prompt, negative prompt, guidance and steps reach the pipeline."""
    plain = pixels(draw(generators[family]).pictures[0])
    for changed in (
        {"prompt": "blue hats"},
        {"negative_prompt": "blue hats", "guidance": 9.0},
        {"steps": 3},
    ):
        other = draw(generators[family], replace(BOAT, **changed)).pictures[0]
        assert np.abs(pixels(other) - plain).max() > 0, changed


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_says_what_it_is(
    family: str, folders: dict[str, Path], generators: dict[str, Generator]
) -> None:
    """Class and weights are named; other weights have another revision."""
    info = generators[family].info

    assert (info.model, info.family) == (str(folders[family]), family)
    assert len(info.revision) == 64
    revisions = {generators[one].info.revision for one in FAMILIES}
    assert len(revisions) == len(FAMILIES)


@pytest.mark.parametrize("prompt", ["赤い船", "лодка", "⛵️", "a\u0000b", "x" * 2000])
def test_any_words_are_drawn(generator: Generator, prompt: str) -> None:
    """Letters that a model never saw, and more than it reads, still give a picture."""
    assert len(draw(generator, replace(BOAT, prompt=prompt)).pictures) == 2


def test_what_is_cut_off_is_said(generators: dict[str, Generator]) -> None:
    """A prompt longer than the text model's context is noted, with both lengths."""
    for family in FAMILIES:
        (note,) = draw(generators[family], replace(BOAT, prompt="z " * 40)).notes
        assert f"the model reads the first {CONTEXT}" in note
        assert draw(generators[family]).notes == ()


def test_a_scheduler_can_be_chosen(folders: dict[str, Path]) -> None:
    """One that fits is taken; one that does not is refused with those that would.

    The model has DDIM, and plain Euler draws the same.
    """
    folder = str(folders["StableDiffusionPipeline"])
    other = DiffusionGenerator(PipelineSpec(folder, scheduler="EulerAncestralDiscreteScheduler"))
    own = draw(DiffusionGenerator(PipelineSpec(folder))).pictures[0]

    assert np.abs(pixels(draw(other).pictures[0]) - pixels(own)).max() > 0
    with pytest.raises(BadInput, match=r"NoScheduler does not fit.*DDIMScheduler"):
        draw(DiffusionGenerator(PipelineSpec(folder, scheduler="NoScheduler")))


def test_a_lora_changes_the_hand(folders: dict[str, Path], tmp_path: Path) -> None:
    """A LoRA file is laid over the weights; what is no LoRA is refused by name."""
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    folder = folders["StableDiffusionPipeline"]
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    targets = ["to_q", "to_v"]
    pipeline.unet.add_adapter(LoraConfig(r=2, target_modules=targets, init_lora_weights=False))
    StableDiffusionPipeline.save_lora_weights(tmp_path, get_peft_model_state_dict(pipeline.unet))
    lora = tmp_path / "pytorch_lora_weights.safetensors"
    own = draw(DiffusionGenerator(PipelineSpec(str(folder)))).pictures[0]

    for given in (lora, tmp_path):
        tuned = DiffusionGenerator(PipelineSpec(str(folder), lora=str(given)))
        other = draw(tuned).pictures[0]
        assert tuned.info.lora == str(given)
        assert np.abs(pixels(other) - pixels(own)).max() > 0
    lora.write_bytes(b"no weights")
    with pytest.raises(BadInput, match="LAWFUL_GENERATOR_LORA="):
        draw(DiffusionGenerator(PipelineSpec(str(folder), lora=str(lora))))


def test_half_precision_draws(folders: dict[str, Path]) -> None:
    """bfloat16 weights draw nearly the same."""
    folder = str(folders["AuraFlowPipeline"])
    whole = pixels(draw(DiffusionGenerator(PipelineSpec(folder))).pictures[0])
    half = pixels(draw(DiffusionGenerator(PipelineSpec(folder, dtype="bfloat16"))).pictures[0])

    assert np.abs(whole - half).mean() < 8


def test_the_safety_checker_stays_on(tmp_path: Path) -> None:
    """A model's own checker decides; what it refuses is not handed out as a black square."""
    folder = save_sd(
        tmp_path / "sd", safety_checker=_refusing_checker(), feature_extractor=_small_processor()
    )
    drawing = draw(DiffusionGenerator(PipelineSpec(str(folder))))

    assert [one.image for one in drawing.pictures] == [None, None]


def _small_processor() -> CLIPImageProcessor:
    return CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def _refusing_checker() -> Any:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = small | {"intermediate_size": 16, "image_size": 32, "patch_size": 16}
    configuration = CLIPConfig(text_config=small, vision_config=vision, projection_dim=16)
    checker = StableDiffusionSafetyChecker(configuration)
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(-2.0)  # whatever it sees is one of its concepts
    return checker


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("model_index.json", "model_index.json"),
        ("unet", "unet"),
        ("vae/config.json", "config"),
        ("unet/diffusion_pytorch_model.safetensors", "diffusion_pytorch_model"),
        ("tokenizer", "tokenizer"),
    ],
)
def test_missing_parts_are_named(
    folders: dict[str, Path], tmp_path: Path, broken: str, says: str
) -> None:
    """A folder that lacks something is refused with what it lacks and the way out."""
    folder = tmp_path / "broken"
    shutil.copytree(folders["StableDiffusionPipeline"], folder)
    path = folder / broken
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    with pytest.raises(ModelUnavailable, match=r"starter, which needs no download") as caught:
        draw(DiffusionGenerator(PipelineSpec(str(folder))))
    assert says in str(caught.value)


def test_torn_and_pickled_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """Half a file is no weights, and a pickle is never read."""
    folder = tmp_path / "torn"
    shutil.copytree(folders["StableDiffusionPipeline"], folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelUnavailable, match="cannot load a generator"):
        draw(DiffusionGenerator(PipelineSpec(str(folder))))
    weights.unlink()
    torch.save({"a": torch.zeros(1)}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(
        ModelUnavailable, match=r"its unet: diffusion_pytorch_model\.bin is a pickle"
    ):
        draw(DiffusionGenerator(PipelineSpec(str(folder))))


def test_a_vae_that_does_not_fit_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """FLUX's latents are not what Stable Diffusion's denoiser takes; both numbers are named."""
    folder = tmp_path / "mixed"
    shutil.copytree(folders["StableDiffusionPipeline"], folder)
    shutil.rmtree(folder / "vae")
    shutil.copytree(folders["FluxPipeline"] / "vae", folder / "vae")
    with pytest.raises(BadInput, match=r"VAE gives 1 channels .* which takes 4"):
        draw(DiffusionGenerator(PipelineSpec(str(folder))))


@pytest.mark.parametrize(
    ("model", "says"),
    [("/nowhere/model", "no such folder"), (str(Path(__file__).parent), "not a pipeline")],
)
def test_what_is_no_model_is_named(model: str, says: str) -> None:
    """A path that leads nowhere, and a folder of something else."""
    with pytest.raises(ModelUnavailable, match=says):
        draw(DiffusionGenerator(PipelineSpec(model)))


def test_offload_needs_an_accelerator(folders: dict[str, Path]) -> None:
    """On the CPU there is nothing to offload from."""
    spec = PipelineSpec(str(folders["FluxPipeline"]), offload="model")
    with pytest.raises(BadInput, match="LAWFUL_GENERATOR_OFFLOAD"):
        draw(DiffusionGenerator(spec))


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_are_decoded_one_by_one(family: str, folders: dict[str, Path]) -> None:
    """However many are drawn together: the memory that decoding takes is that of one."""
    generator = DiffusionGenerator(PipelineSpec(str(folders[family])))
    decoded: list[int] = []
    decoder = generator._ready().pipeline.vae.decoder
    decoder.register_forward_pre_hook(lambda _module, latents: decoded.append(len(latents[0])))

    assert len(draw(generator).pictures) == 2
    assert decoded == [1, 1]


def test_sides_beyond_the_model_are_refused(generators: dict[str, Generator]) -> None:
    """A denoiser that has no positions for so large a picture says so as bad input."""
    with pytest.raises(BadInput, match=r"cannot draw this at 512 × 512 pixels"):
        draw(generators["AuraFlowPipeline"], replace(BOAT, width=512, height=512))


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_memory_that_runs_out_has_a_way_out(folders: dict[str, Path], error: Exception) -> None:
    """The error says what to make smaller; the next request is drawn."""
    generator = DiffusionGenerator(PipelineSpec(str(folders["FluxPipeline"])))

    def fail(_done: int, _steps: int) -> None:
        raise error

    with pytest.raises(ModelUnavailable, match="ran out of memory on cpu for 2 pictures"):
        generator.generate(BOAT, on_step=fail)
    assert len(draw(generator).pictures) == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"prompt": " \n"}, "the prompt is empty"),
        ({"prompt": "x" * 2001}, "2001 characters"),
        ({"negative_prompt": "x" * 3000}, "negative prompt has 3000"),
        ({"width": 100}, "width 100"),
        ({"height": 1 << 20}, "height 1048576"),
        ({"count": 0}, "0 pictures"),
        ({"steps": 0}, "0 steps"),
        ({"seed": -1}, "seed -1"),
        ({"guidance": float("nan")}, "guidance nan"),
    ],
)
def test_what_no_model_can_follow_is_refused(changed: dict[str, Any], says: str) -> None:
    """The value and its bounds are named before anything is loaded."""
    with pytest.raises(BadInput, match=says):
        check_request(replace(BOAT, **changed), is_given=False)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open a collection of four artists: one agrees to generation, one in part."""
    settings = Settings(home=tmp_path / "home", profile="stub", generator="stub")
    lines = []
    for artist in range(4):
        folder = tmp_path / "p" / f"artist-{artist}"
        folder.mkdir(parents=True)
        for work in range(4):
            picture(100 * artist + work).save(folder / f"{work}.png")
            agrees = artist == 0 or (artist == 1 and work == 0)
            said = {"file_name": f"artist-{artist}/{work}.png", "artist": f"artist-{artist}"}
            if artist == 3:
                lines.append(said | ({"consent_generate": "ask"} if work == 0 else {}))
            else:
                lines.append(said | {"consent_generate": "yes" if agrees else "no"})
    text = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "p" / "metadata.jsonl").write_text(text)
    with open_services(settings) as opened:
        assert ingest(opened, tmp_path / "p").added == 16
        yield opened


def test_a_picture_is_attributed_like_any_other(services: Services) -> None:
    """The answer is the one that the same file gets from outside, and is recorded."""
    (drawn,) = services.studio.draw(
        replace(BOAT, count=1), on_step=lambda _done, _steps: None
    ).pictures
    assert drawn.png is not None
    assert drawn.attribution is not None
    again = services.attributor.attribute(read_image(drawn.png, services.limits))

    assert again.artists == drawn.attribution.artists
    assert again.image_sha256 == drawn.sha256
    assert services.attributor.recall(drawn.attribution.id) == drawn.attribution
    with Image.open(io.BytesIO(drawn.png)) as image:
        assert (image.format, image.size) == ("PNG", (64, 64))


def test_a_picture_is_signed_by_the_operator(services: Services) -> None:
    """With a certificate every picture carries its claim; only artists who agreed stand in it."""
    seal = Seal(development()[0], None, reveal_prompt=False, training="notAllowed")
    studio = replace(services.studio, load_seal=lambda: seal)

    (drawn,) = studio.draw(replace(BOAT, count=1), on_step=lambda _done, _steps: None).pictures

    assert drawn.png is not None
    assert hashlib.sha256(drawn.png).hexdigest() == drawn.sha256
    report = json.loads(c2pa.Reader("image/png", io.BytesIO(drawn.png)).json())
    manifest = report["manifests"][report["active_manifest"]]
    said = {one["label"]: one["data"] for one in manifest["assertions"]}
    agreed = {one.slug for one in drawn.references if one.consent is Consent.YES}
    named = {one["slug"] for one in said["org.lawful-diffusion.attribution"]["artists"]}
    assert agreed == {"artist-0"} & {one.slug for one in drawn.references}
    assert named <= agreed
    assert said["org.lawful-diffusion.generation"]["seed"] == 7
    unit = image_binding(Image.open(io.BytesIO(drawn.png)))
    blocks = [{"scope": {}, "value": unit}]
    assert said["c2pa.soft-binding"] == {"alg": "io.iscc.v0", "blocks": blocks}
    code = base64.b32encode(base64.b64decode(unit)).decode().rstrip("=")
    assert len(iscc_lib.iscc_decode(f"ISCC:{code}")[4]) == 256 // 8
    tampered = bytearray(drawn.png)
    tampered[-40] ^= 1
    assert read_credentials(bytes(tampered)).state != read_credentials(drawn.png).state


def test_a_key_that_cannot_sign_is_told_before_anything_is_drawn(services: Services) -> None:
    """A bad certificate ends the request at once: no picture is made for nothing."""
    settings = services.settings.model_copy(update={"sign_key": Path("key.pem")})
    studio = replace(services.studio, load_seal=lambda: load_seal(settings))
    steps: list[int] = []

    with pytest.raises(BadInput, match="LAWFUL_SIGN_CERT"):
        studio.draw(BOAT, on_step=lambda done, _steps: steps.append(done))

    assert steps == []


def test_a_latent_is_no_picture() -> None:
    """The latent that a picture is decoded from has other vectors than the picture (ADR 0014)."""
    _, encoder, _ = load_encoders(Settings())
    assert isinstance(encoder, VaeEncoder)
    works = [Image.open(path).convert("RGB") for path in sorted(EXAMPLES.glob("*/*.png"))[:60:20]]
    vae = AutoencoderKL.from_pretrained(STARTER / "vae").float()
    before = encoder.latents(works)
    with torch.inference_mode():
        decoded = vae.decode(before / vae.config.scaling_factor).sample
    numbers = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    after = encoder.latents([Image.fromarray(one) for one in numbers])
    cosines = (unit(layout(before)) * unit(layout(after))).sum(1)

    assert 0.9 < cosines.min() < 0.999


def test_consent_stands_beside_every_name(services: Services) -> None:
    """Yes for all works or some, no, ask first; who did not agree is warned of, never a source."""
    (drawn,) = services.studio.draw(
        replace(BOAT, count=1), on_step=lambda _done, _steps: None
    ).pictures
    said = {one.slug: one.consent for one in drawn.references}

    assert drawn.attribution is not None
    assert list(said) == [artist.slug for artist in drawn.attribution.artists]
    expected = {
        "artist-0": Consent.YES,
        "artist-1": Consent.IN_PART,
        "artist-2": Consent.NO,
        "artist-3": Consent.ASK,
    }
    assert said == {slug: expected[slug] for slug in said}
    (warning,) = drawn.warnings
    assert "artist-0" not in warning
    assert all(slug in warning for slug in said if slug != "artist-0")


@pytest.mark.parametrize("withholds", [False, True])
def test_a_near_copy_is_flagged_or_withheld(services: Services, *, withholds: bool) -> None:
    """A picture that matches an indexed work is said to; by setting it is not handed out."""
    studio = replace(services.studio, generator=Copyist(picture(203)), withholds_copies=withholds)
    (drawn,) = studio.draw(replace(BOAT, count=1), on_step=lambda _done, _steps: None).pictures

    assert drawn.attribution is not None
    assert drawn.attribution.verdict is Verdict.COPY
    assert (drawn.png is None, drawn.withheld) == (withholds, Withheld.COPY if withholds else None)
    assert next(iter(drawn.warnings)).startswith("near copy of")
    assert drawn.references[0].slug == "artist-2"


def test_what_the_checker_refuses_is_not_looked_at(services: Services) -> None:
    """There is no picture and no answer, but a reason; nothing is recorded."""
    studio = replace(services.studio, generator=Copyist(None))
    (drawn,) = studio.draw(BOAT, on_step=lambda _done, _steps: None).pictures

    assert (drawn.png, drawn.attribution, drawn.withheld) == (None, None, Withheld.SAFETY)
    with services.sessions() as session:
        assert queries.list_attributions(session).items == ()
