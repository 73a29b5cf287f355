"""Does attribution of generated pictures tell the truth? `python benchmarks/generated.py`.

Ground truth comes from the starter generator, whose whole training set is indexed here. *Named*:
prompts that name a subject and the hand that drew it; the artist has to come first, or among the
first five. *Tuned*, with `--data`: a LoRA on ten works of an artist whom the generator never saw
draws from their titles; the works are indexed, and the same words and seeds without it are the
negatives (after AbC: Wang et al. 2023). Time and memory are those of this process.
"""

from __future__ import annotations

import argparse
import io
import resource
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from api.bundled import examples_folder
from api.cli import ingest
from api.cli.demo import own_settings
from attribution.encoders.profiles import STARTER
from attribution.generation.diffusion import DiffusionGenerator
from attribution.generation.generator import Generator, ImageRequest
from attribution.generation.pipelines import PipelineSpec
from attribution.images import read_image
from attribution.laboratory.starter.generator.finetuning import finetune
from attribution.laboratory.starter.generator.works import Lesson, of_artist
from attribution.services import Services, open_services
from ingest.lessons import read_lessons
from ingest.options import BY_RULE
from ingest.sources import read_source
from ingest.work.jobs import job_queue

MOST_WORKS = 10  # of a new artist
EVERYBODY = 100


@dataclass(frozen=True)
class Asked:
    """One picture: who should be named, who was, and what it took."""

    artist: str
    ranking: tuple[str, ...]
    is_copy: bool
    drawing_s: float
    looking_s: float


def main() -> None:
    """Print recall with intervals, copies, seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=5, help="of each artist")
    parser.add_argument("--data", type=Path, help="works with metadata.jsonl by other artists")
    parser.add_argument("--tuned", type=int, default=4, help="of these artists get a LoRA")
    parser.add_argument("--tune-steps", type=int, default=150)
    chosen = parser.parse_args()
    portfolio = examples_folder() / "portfolio"
    lessons, _ = read_lessons(portfolio)
    artists = list(dict.fromkeys(one.artist for one in lessons))
    new = newcomers(chosen.data, artists, chosen.tuned) if chosen.data else {}
    with TemporaryDirectory() as home, open_services(own_settings(Path(home))) as services:
        with job_queue(services) as queue:
            ingest.run(queue, portfolio, read_source(portfolio), BY_RULE)
            for artist, own in new.items():
                folder = copied(own, Path(home) / own[0].sha256)
                ingest.run(queue, folder, read_source(folder, artist=artist), BY_RULE)
        starter = DiffusionGenerator(PipelineSpec("starter"))
        draw(services, starter, "", "a fish", seed=0)  # loads what is loaded once
        print(f"peak memory before drawing {peak_mib():.0f} MiB")
        named = [
            draw(services, starter, artist, prompt, seed=number)
            for artist in artists
            for number, prompt in enumerate(prompts(lessons, artist, chosen.pictures))
        ]
        report(f"named, {len(artists)} artists", named)
        for part in ("drawing_s", "looking_s"):
            print(f"  median {part:11} {np.median([getattr(one, part) for one in named]):.3f}")
        print(f"  peak memory {peak_mib():.0f} MiB")
        negatives, tuned = [], []
        for artist, own in new.items():
            lora = Path(home) / "hand.safetensors"
            finetune(
                STARTER / "generator",
                own,
                lora,
                steps=chosen.tune_steps,
                seed=0,
                progress=lambda *_: None,
            )
            hand = DiffusionGenerator(PipelineSpec("starter", lora=str(lora)))
            for number, lesson in enumerate(own[: chosen.pictures]):
                prompt = lesson.subject or "a picture"
                negatives.append(draw(services, starter, artist, prompt, seed=number))
                tuned.append(draw(services, hand, artist, prompt, seed=number))
        if tuned:
            report("tuned on the artist", tuned)
            report("the same without tuning", negatives)


def newcomers(data: Path, known: Sequence[str], count: int) -> dict[str, list[Lesson]]:
    """Return the first artists of a folder whom the generator never saw, with ten works each."""
    found: dict[str, list[Lesson]] = {}
    for lesson in read_lessons(data)[0]:
        if lesson.artist not in known:
            found.setdefault(lesson.artist, []).append(lesson)
    enough = {name: works for name, works in found.items() if len(works) >= MOST_WORKS}
    return {name: works[:MOST_WORKS] for name, works in list(enough.items())[:count]}


def copied(lessons: Sequence[Lesson], folder: Path) -> Path:
    """Copy some works into a folder of their own."""
    folder.mkdir(parents=True)
    for lesson in lessons:
        shutil.copy(lesson.path, folder)
    return folder


def prompts(lessons: Sequence[Lesson], artist: str, count: int) -> list[str]:
    """Return prompts that name different works of an artist, and the artist."""
    own = of_artist(lessons, artist)
    subjects = list(dict.fromkeys(one.subject for one in own if one.subject))
    return [f"{subjects[n % len(subjects)]} by {artist.lower()}" for n in range(count)]


def draw(services: Services, generator: Generator, artist: str, prompt: str, *, seed: int) -> Asked:
    """Draw one picture and have it attributed."""
    started = time.perf_counter()
    request = ImageRequest(prompt, seed=seed)
    (drawn,) = generator.generate(request, on_step=lambda _done, _steps: None).pictures
    assert drawn.image is not None  # noqa: S101  the starter has no safety checker
    done = time.perf_counter()
    buffer = io.BytesIO()
    drawn.image.save(buffer, "PNG")
    image = read_image(buffer.getvalue())
    answer = services.attributor.attribute(image, limit=EVERYBODY)
    return Asked(
        artist,
        tuple(one.name for one in answer.artists),
        answer.copy_of is not None,
        done - started,
        time.perf_counter() - done,
    )


def report(name: str, asked: Sequence[Asked]) -> None:
    """Print recall@1 and @5 with 95 % intervals that resample artists, and the share of copies."""
    print(f"{name}: {len(asked)} pictures, {np.mean([one.is_copy for one in asked]):.0%} copies")
    artists = sorted({one.artist for one in asked})
    for first in (1, 5):
        by_artist = np.array(
            [
                np.mean([a in one.ranking[:first] for one in asked if one.artist == a])
                for a in artists
            ]
        )
        drawn = np.random.default_rng(0).choice(by_artist, (2000, len(artists))).mean(1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        print(f"  recall@{first} {by_artist.mean():.2f} ({low:.2f} to {high:.2f})")


def peak_mib() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
