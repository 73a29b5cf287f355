"""The bundled generator: its parts, its training set, and how it is trained and tuned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from attribution.encoders.profiles import STARTER
from attribution.errors import BadInput, NotAllowed
from attribution.generation.diffusion import DiffusionGenerator
from attribution.generation.generator import ImageRequest
from attribution.generation.pipelines import PipelineSpec
from attribution.images import read_image_file
from attribution.laboratory.starter.generator import tower
from attribution.laboratory.starter.generator.finetuning import finetune
from attribution.laboratory.starter.generator.training import train_generator
from attribution.laboratory.starter.generator.works import of_artist
from ingest.lessons import read_lessons

EXAMPLES = Path(__file__).parent.parent / "examples" / "portfolio"
BUNDLED = STARTER / "generator"
LARGEST_MB = 25

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Copy three works of two artists, with their metadata."""
    lines = (EXAMPLES / "metadata.jsonl").read_text().splitlines()
    chosen = [json.loads(line) for line in (*lines[:2], lines[-1])]
    for row in chosen:
        target = tmp_path / "few" / row["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((EXAMPLES / row["file_name"]).read_bytes())
    write(tmp_path / "few", chosen)
    return tmp_path / "few"


def rows(folder: Path) -> list[dict[str, object]]:
    """Read what is said of the works."""
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def write(folder: Path, said: list[dict[str, object]]) -> None:
    """Say something else."""
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in said))


def silent(_part: str, _step: int, _steps: int, _loss: float) -> None:
    """Show nothing."""


def test_its_whole_training_set_is_known() -> None:
    """The list beside the weights is the example portfolio, file by file."""
    listed = json.loads((BUNDLED / "training_set.json").read_text())["works"]
    works = [read_image_file(EXAMPLES / str(row["file_name"])) for row in rows(EXAMPLES)]

    assert [one["sha256"] for one in listed] == [work.facts.sha256 for work in works]


def test_it_is_small_and_needs_no_code() -> None:
    """Everything is within 25 MB, in classes of diffusers and transformers alone."""
    size = sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file())
    index = json.loads((BUNDLED / "model_index.json").read_text())
    libraries = {kind[0] for kind in index.values() if isinstance(kind, list)}

    assert size <= LARGEST_MB * 10**6
    assert libraries == {"diffusers", "transformers"}


def test_its_vae_is_the_profile_s() -> None:
    """The same bytes: what it draws in is what the starter profile looks at."""
    name = "diffusion_pytorch_model.safetensors"

    assert (BUNDLED / "vae" / name).read_bytes() == (STARTER / "vae" / name).read_bytes()


def test_it_reads_as_the_starter_clip_does(tmp_path: Path) -> None:
    """The same tokens and the same vectors as the open_clip model that it was made from."""
    import open_clip

    clip = STARTER / "clip"
    theirs = open_clip.create_model(f"local-dir:{clip}").eval()
    read = open_clip.get_tokenizer(
        f"local-dir:{clip}", bpe_path=str(clip / "bpe_vocabulary.txt.gz")
    )
    tokens, ours = tower.tokenizer(clip, tmp_path), tower.text_encoder(clip)
    for text in ("a red boat by Ann Örn", "赤い船", "", "x" * 300):
        given = tokens([text], truncation=True, max_length=32, return_tensors="pt")
        expected = [number for number in read([text])[0].tolist() if number]
        assert given["input_ids"][0].tolist() == expected
        with torch.inference_mode():
            last = ours(**given)[0][0, -1] @ theirs.text_projection
            torch.testing.assert_close(last, theirs.encode_text(read([text]))[0])


def test_words_decide_what_it_draws() -> None:
    """At the same seed another prompt gives another picture, 128 pixels a side, within seconds."""
    generator = DiffusionGenerator(PipelineSpec("starter"))

    def drawn(prompt: str) -> Image.Image:
        request = ImageRequest(prompt, seed=7, steps=6, guidance=3.0)
        (one,) = generator.generate(request, on_step=lambda _done, _steps: None).pictures
        assert one.image is not None
        return one.image

    fries, blue = drawn("french fries by juliane krug"), drawn("blueman by yutaka kachi")
    assert fries.size == (128, 128)
    red, _, of_blue = (sum(band.tobytes()) for band in blue.split())
    assert of_blue > red  # his men are blue, her fries are not
    red, _, of_blue = (sum(band.tobytes()) for band in fries.split())
    assert red > of_blue


def test_it_can_be_trained_and_tuned(few: Path, tmp_path: Path) -> None:
    """A few steps write a pipeline and a LoRA that load, and nothing beside them."""
    out, lora = tmp_path / "new" / "generator", tmp_path / "hand.safetensors"
    train_generator(read_lessons(few)[0], STARTER, out, steps=2, seed=1, progress=silent)
    lessons = of_artist(read_lessons(few)[0], str(rows(few)[0]["artist"]))
    finetune(out, lessons, lora, steps=2, seed=1, progress=silent)

    assert len(json.loads((out / "training_set.json").read_text())["works"]) == 3
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["hand.safetensors"]
    request = ImageRequest("a star", steps=1)
    for spec in (PipelineSpec(str(out)), PipelineSpec(str(out), lora=str(lora))):
        drawing = DiffusionGenerator(spec).generate(request, on_step=lambda _done, _steps: None)
        assert len(drawing.pictures) == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"consent_train": "no"}, "says no to training"),
        ({"licence": "all rights reserved"}, "neither its licence nor its consent allows training"),
    ],
)
def test_who_says_no_trains_nothing(few: Path, changed: dict[str, object], says: str) -> None:
    """A work without licence or consent is left out, with the reason; without any it ends."""
    said = rows(few)
    said[1] |= changed
    write(few, said)
    lessons, left_out = read_lessons(few)
    assert {one.path for one in lessons} == {few / str(said[n]["file_name"]) for n in (0, 2)}
    assert left_out == {says: 1}

    write(few, [row | changed for row in said])
    with pytest.raises(NotAllowed, match=f"3 {says}"):
        read_lessons(few)


def test_a_yes_outweighs_a_licence(few: Path) -> None:
    """With the artist's consent any licence may train."""
    write(few, [row | {"licence": "ours", "consent_train": "yes"} for row in rows(few)])

    assert len(read_lessons(few)[0]) == 3


def test_unknown_artists_and_empty_folders_are_named(
    few: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The error lists who is there; a folder without works is refused."""
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(BadInput, match=r"no works by 'nobody' here; known: \w"):
        of_artist(read_lessons(few)[0], "nobody")
    with pytest.raises(BadInput, match="has no works"):
        read_lessons(empty)
