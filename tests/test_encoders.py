"""What every encoder promises, held by all of them: the stub, the starter, and fresh checkpoints.

The fresh ones are saved by the test in the formats that people's own models come in, with random
weights: they go through open_clip and diffusers as a downloaded model would.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from attribution.config import Settings
from attribution.encoders.clip import ClipEncoder, ClipSpec
from attribution.encoders.csd import CsdSpec
from attribution.encoders.encoder import Encoder, Lane, PatchEncoder, TextEncoder
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.encoders.spec import Spec
from attribution.encoders.stub import StubEncoder
from attribution.encoders.timm_model import TimmSpec
from attribution.encoders.torchscript import TorchScriptSpec
from attribution.encoders.vae import VaeSpec
from attribution.errors import BadInput, ModelUnavailable
from attribution.images import read_image_file
from attribution.types import PATCHES
from tests import checkpoints

EXAMPLES = Path(__file__).parent.parent / "examples" / "portfolio"
KINDS = (
    "stub",
    "starter clip",
    "starter vae",
    "palette",
    "own clip",
    "own styled",
    "own kl",
    "own tiny",
    "own timm",
    "own torchscript",
    "own csd",
    *checkpoints.FAMILIES,
)
GOLDEN_TOLERANCE = 0.02  # other processors round differently, other models differ by far more


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    """Fresh models, saved and read again."""
    folder = tmp_path_factory.mktemp("own")
    checkpoints.save_vaes(folder)
    specs: dict[str, Spec] = {
        "own clip": ClipSpec(model=checkpoints.save_clip(folder / "clip"), license="MIT"),
        "own styled": ClipSpec(model=f"local-dir:{folder / 'clip'}", style=True, license="MIT"),
        "own kl": VaeSpec(model=str(folder), subfolder="kl", size_px=32, license="MIT"),
        "own tiny": VaeSpec(
            model=str(folder / "tiny"), architecture="AutoencoderTiny", size_px=32, license="MIT"
        ),
        "own timm": TimmSpec(
            kind="timm",
            model=checkpoints.save_timm(folder / "timm"),
            vector="dinov2",
            lane=Lane.CONTENT,
            license="MIT",
        ),
        "own torchscript": TorchScriptSpec(
            kind="torchscript",
            model=checkpoints.save_torchscript(folder / "copies.pt"),
            size_px=32,
            vector="sscd",
            lane=Lane.COPY,
            license="MIT",
        ),
        "own csd": CsdSpec(
            kind="csd", model=checkpoints.save_csd(folder / "csd.safetensors"), license="MIT"
        ),
    }
    for name, configuration in checkpoints.FAMILIES.items():
        where = checkpoints.save_clip(folder / name, configuration)
        specs[name] = ClipSpec(model=where, style=True, license="MIT")
    return {name: spec.encoder("cpu") for name, spec in specs.items()}


@pytest.fixture(scope="module")
def encoders(own: dict[str, Encoder]) -> dict[str, Encoder]:
    """Every kind of encoder, each loaded once."""
    clip, vae, palette = load_encoders(Settings())
    bundled = {"starter clip": clip, "starter vae": vae, "palette": palette}
    return {"stub": StubEncoder(), **bundled, **own}


@pytest.fixture(params=KINDS)
def encoder(request: pytest.FixtureRequest, encoders: dict[str, Encoder]) -> Encoder:
    """One encoder at a time."""
    return encoders[request.param]


def pictures() -> list[Image.Image]:
    """Return a drawing, noise, blanks, and shapes that a resize might break on."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    return [
        drawing("red"),
        Image.fromarray(noise),
        Image.new("RGB", (64, 64), "white"),
        Image.new("RGB", (10, 10), "black"),
        Image.new("RGB", (1, 1), "green"),
        Image.linear_gradient("L").convert("RGB").resize((1, 300)),
        Image.linear_gradient("L").convert("RGB").resize((300, 1)),
    ]


def drawing(colour: str) -> Image.Image:
    """Draw a round thing on a stand."""
    picture = Image.new("RGB", (200, 150), "white")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((60, 10, 140, 90), fill=colour, outline="black", width=4)
    pen.rectangle((95, 90, 105, 140), fill="brown")
    return picture


def test_rows_are_unit_vectors(encoder: Encoder) -> None:
    """Every picture, blank and one pixel wide ones too, gets finite unit rows of stated width."""
    rows = encoder.encode(pictures())

    assert set(rows) == set(encoder.info.vectors)
    for name, matrix in rows.items():
        assert matrix.shape == (len(pictures()), encoder.info.vectors[name])
        assert matrix.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-4)


def test_batches_change_nothing(encoder: Encoder) -> None:
    """A picture's vector is the same alone and among others, in the order given."""
    together = encoder.encode(pictures())
    backwards = encoder.encode(pictures()[::-1])
    alone = [encoder.encode([picture]) for picture in pictures()]

    for name, matrix in together.items():
        np.testing.assert_allclose(backwards[name][::-1], matrix, atol=1e-4)
        np.testing.assert_allclose(np.concatenate([row[name] for row in alone]), matrix, atol=1e-4)


def test_again_is_the_same(encoder: Encoder) -> None:
    """Encoding is deterministic to the last bit."""
    first, second = encoder.encode(pictures()), encoder.encode(pictures())

    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_description_is_complete(encoder: Encoder) -> None:
    """What is stored beside the vectors names weights and preprocessing."""
    info = encoder.info

    assert info.revision
    assert info.preprocessing
    assert all(width > 0 for width in info.vectors.values())


@pytest.mark.parametrize("kind", ["stub", "starter clip", "own clip", *checkpoints.FAMILIES])
def test_texts_live_in_an_image_space(kind: str, encoders: dict[str, Encoder]) -> None:
    """Texts, empty and overlong ones too, get unit rows as wide as the images they search."""
    encoder = encoders[kind]
    assert isinstance(encoder, TextEncoder)
    rows = encoder.encode_text(["red sailing boat", "", "word " * 500, "красная лодка"])

    assert rows.shape == (4, encoder.info.vectors[encoder.text_vector])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(encoder.encode_text(["red sailing boat"])[0], rows[0], atol=1e-4)


@pytest.mark.parametrize("kind", ["stub", "starter clip", "own clip", *checkpoints.FAMILIES])
def test_places_are_described(kind: str, encoders: dict[str, Encoder]) -> None:
    """CNN, ViT and stub give the same finite grid, and a place is described where it is."""
    encoder = encoders[kind]
    assert isinstance(encoder, PatchEncoder)
    picture = Image.new("RGB", (224, 224), "white")
    picture.paste(pictures()[1].resize((112, 112)), (112, 112))
    blank, grid = encoder.encode_patches([Image.new("RGB", (224, 224), "white"), picture])

    assert grid.shape[:2] == (PATCHES, PATCHES)
    assert grid.dtype == np.float32
    assert np.isfinite(grid).all()
    change = np.linalg.norm(grid - blank, axis=2)
    assert change[PATCHES // 2 :, PATCHES // 2 :].mean() > 1.5 * change[:4, :4].mean()


def test_a_style_vector_changes_no_other(own: dict[str, Encoder]) -> None:
    """It comes from the same pass, and forgets places: a mirrored picture has nearly the same."""
    plain, styled = (own[kind].encode(pictures()) for kind in ("own clip", "own styled"))

    np.testing.assert_allclose(styled["clip"], plain["clip"], atol=1e-5)
    assert set(styled) == {"clip", "clip_style"}
    assert own["own styled"].info.lanes["clip_style"] is Lane.STYLE


def test_style_forgets_places(encoders: dict[str, Encoder]) -> None:
    """The starter's: a picture upside down keeps its style and its colours, not what it shows."""
    picture = drawing("red")
    for kind, space in (("starter clip", "clip_style"), ("palette", "palette")):
        rows = encoders[kind].encode([picture, ImageOps.flip(picture), pictures()[1]])[space]
        assert rows[0] @ rows[1] > max(rows[0] @ rows[2], 0.5), space


def test_a_palette_is_of_what_stands_on_the_ground(encoders: dict[str, Encoder]) -> None:
    """Its share of the picture does not count, nor the colour of the paper."""
    small = Image.new("RGB", (120, 90), "white")
    small.paste("red", (10, 10, 40, 40))
    large = Image.new("RGB", (120, 90), "ivory")
    large.paste("red", (10, 10, 80, 80))
    blue = Image.new("RGB", (120, 90), "white")
    blue.paste("blue", (10, 10, 40, 40))
    rows = encoders["palette"].encode([small, large, blue])["palette"]

    assert rows[0] @ rows[1] > 0.99
    assert rows[0] @ rows[2] < 0.1


def test_vaes_have_no_words_and_no_places(encoders: dict[str, Encoder]) -> None:
    """The second capability is asked for, not assumed."""
    assert not isinstance(encoders["starter vae"], TextEncoder | PatchEncoder)


def test_weights_make_the_revision(own: dict[str, Encoder]) -> None:
    """Different weights of one kind are different models."""
    prints = {EncoderSet([encoder]).fingerprint for encoder in own.values()}

    assert len(prints) == len(own)


def test_starter_sees_what_is_alike(encoders: dict[str, Encoder]) -> None:
    """In every space a shrunk copy is nearer than a picture of something else."""
    noise = pictures()[1]
    small = drawing("red").resize((120, 90))
    for kind in ("starter clip", "starter vae"):
        for name, rows in encoders[kind].encode([drawing("red"), small, noise]).items():
            near, far = rows[0] @ rows[1], rows[0] @ rows[2]
            assert near > max(far, 0.8), name


def test_layout_sees_places_and_style_does_not(encoders: dict[str, Encoder]) -> None:
    """A mirrored drawing keeps its style and loses its layout."""
    picture = Image.new("RGB", (128, 128), "white")
    picture.paste(drawing("red").resize((64, 64)), (0, 0))
    rows = encoders["starter vae"].encode([picture, ImageOps.mirror(picture)])
    style, layout = (rows[name][0] @ rows[name][1] for name in ("vae_style", "vae_layout"))

    assert style > layout + 0.2


def test_words_find_pictures(encoders: dict[str, Encoder]) -> None:
    """Asked by tag, the starter CLIP ranks unseen works: mAP is over thrice the share of hits."""
    clip = encoders["starter clip"]
    assert isinstance(clip, TextEncoder)
    lines = (EXAMPLES / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    works = [json.loads(line) for line in lines]
    pictures = [read_image_file(EXAMPLES / work["file_name"]).rgb for work in works]
    counts = Counter(tag for work in works for tag in set(work["tags"]) - {"hash"})
    tags = sorted(tag for tag, count in counts.items() if 3 <= count <= 20)
    has = np.array([[tag in work["tags"] for work in works] for tag in tags])

    scores = clip.encode_text([t.replace("_", " ") for t in tags]) @ clip.encode(pictures)["clip"].T
    ranked = np.take_along_axis(has, np.argsort(-scores, axis=1), axis=1)
    precision = ranked.cumsum(1) / np.arange(1, len(works) + 1)
    average = (precision * ranked).sum(1) / ranked.sum(1)

    assert average.mean() > 3 * has.mean()


def test_a_checkpoint_of_ones_own_loads(tmp_path: Path) -> None:
    """By its path, which does not say whether it was trained with QuickGELU."""
    import open_clip
    import torch

    path = tmp_path / "ViT-B-32.pt"
    torch.save(open_clip.create_model("ViT-B-32").state_dict(), path)
    spec = ClipSpec(model="ViT-B-32", pretrained=str(path), license="MIT")

    assert ClipEncoder(spec, device="cpu").info.vectors == {
        "clip": 512
    }  # a local file does not say


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A path without a model: the error names it, and the profile that needs none."""
    gone = str(tmp_path / "gone")
    specs: list[Spec] = [
        VaeSpec(model=gone, license="MIT"),
        ClipSpec(model=f"local-dir:{gone}", license="MIT"),
        TimmSpec(
            kind="timm",
            model=f"local-dir:{gone}",
            vector="a",
            lane=Lane.CONTENT,
            license="MIT",
        ),
        TorchScriptSpec(
            kind="torchscript",
            model=gone,
            size_px=32,
            vector="a",
            lane=Lane.COPY,
            license="MIT",
        ),
        CsdSpec(kind="csd", model=f"{gone}.safetensors", license="MIT"),
    ]
    for spec in specs:
        with pytest.raises(ModelUnavailable, match=r"gone.*check the path.*starter"):
            spec.encoder("cpu").encode(pictures())


def test_other_weights_than_the_profile_names_are_refused(own: dict[str, Encoder]) -> None:
    """A revision is the hash of the weights, or its beginning."""
    spec = own["own clip"]._spec  # type: ignore[attr-defined]
    revision = own["own clip"].info.revision
    named = spec.model_copy(update={"revision": revision[:12]})
    other = spec.model_copy(update={"revision": "0" * 12})

    assert named.encoder("cpu").info == own["own clip"].info
    with pytest.raises(BadInput, match=f"of revision {revision[:12]}, .* asks for 000000000000"):
        _ = other.encoder("cpu").info


def test_csd_knows_its_weights_by_their_names(tmp_path: Path) -> None:
    """The published file was saved from several devices; what is no CSD is refused, and pickles."""
    from safetensors.torch import load_file, save_file

    path = tmp_path / "csd.safetensors"
    checkpoints.save_csd(path)
    weights = load_file(path)
    several = tmp_path / "several.safetensors"
    save_file({f"module.{name}": value for name, value in weights.items()}, several)
    other = tmp_path / "other.safetensors"
    save_file({"weight": weights["last_layer_style"]}, other)

    def encoder(where: Path) -> Encoder:
        return CsdSpec(kind="csd", model=str(where), license="MIT").encoder("cpu")

    one, two = encoder(path), encoder(several)
    assert one.info.revision == two.info.revision
    np.testing.assert_array_equal(one.encode(pictures())["csd"], two.encode(pictures())["csd"])
    with pytest.raises(BadInput, match=r"other\.safetensors: these are not weights of CSD"):
        encoder(other).encode(pictures())
    with pytest.raises(BadInput, match=r"checkpoint\.pth.*\.safetensors"):
        encoder(tmp_path / "checkpoint.pth").encode(pictures())


def test_what_gives_no_vector_is_refused(tmp_path: Path) -> None:
    """A TorchScript file may hold any model."""
    import torch

    class Map(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels

    path = tmp_path / "map.pt"
    checkpoints.script(Map(), path)
    spec = TorchScriptSpec(
        kind="torchscript", model=str(path), size_px=16, vector="a", lane=Lane.COPY, license="MIT"
    )

    with pytest.raises(BadInput, match=r"map\.pt gives no vector"):
        spec.encoder("cpu").encode(pictures())


def test_a_model_of_timm_takes_another_size(tmp_path: Path) -> None:
    """Its tower and its images alike."""
    spec = TimmSpec(
        kind="timm",
        model=checkpoints.save_timm(tmp_path / "timm"),
        vector="forms",
        lane=Lane.CONTENT,
        license="MIT",
        size_px=56,
    )
    large = spec.encoder("cpu")

    assert large.encode(pictures())["forms"].shape == (len(pictures()), 64)
    assert (
        large.info.preprocessing
        != spec.model_copy(update={"size_px": None}).encoder("cpu").info.preprocessing
    )


@pytest.mark.parametrize("kind", ["own clip", "own timm", "own torchscript"])
def test_how_images_become_square_can_be_chosen(kind: str, own: dict[str, Encoder]) -> None:
    """A crop does not see the ends of a wide picture, the others do; each is another model."""
    wide = Image.new("RGB", (160, 40), "white")
    ends = wide.copy()
    ends.paste("red", (0, 0, 40, 40))
    ends.paste("blue", (120, 0, 160, 40))
    spec = own[kind]._spec  # type: ignore[attr-defined]
    prints = set()
    for resize in ("crop", "letterbox", "squash"):
        encoder = spec.model_copy(update={"resize": resize}).encoder("cpu")
        ((_, rows),) = encoder.encode([wide, ends]).items()
        is_the_same = bool(rows[0] @ rows[1] > 1 - 1e-6)
        assert is_the_same is (resize == "crop")
        prints.add(EncoderSet([encoder]).fingerprint)

    assert len(prints) == 3


def test_a_torchscript_file_is_its_code_too(tmp_path: Path) -> None:
    """Two programs without weights are two models."""
    import torch

    class Mean(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.mean((2, 3))

    class Largest(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.amax((2, 3))

    revisions = set()
    for number, network in enumerate((Mean(), Largest())):
        path = checkpoints.script(network, tmp_path / f"{number}.pt")
        spec = TorchScriptSpec(
            kind="torchscript", model=path, size_px=16, vector="a", lane=Lane.COPY, license="MIT"
        )
        revisions.add(spec.encoder("cpu").info.revision)
    assert len(revisions) == 2
