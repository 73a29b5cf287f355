"""`lawful models` and `lawful train-starter`: which encoders there are, and how ours was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    check_writable,
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BadInput

app = typer.Typer(
    help="Encoders: list the profiles, download their weights; what was trained on what.",
    no_args_is_help=True,
)


@app.command("list")
def list_profiles(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """List the profiles with their models and licences.

    Example: [bold]lawful models list[/]
    """
    from attribution.encoders.profiles import known_profiles

    rows: list[dict[str, Any]] = [
        {
            "profile": name,
            "description": profile.description,
            "encoders": [
                {
                    "model": spec.name,
                    "kind": spec.kind,
                    "lanes": dict(spec.lanes),
                    "license": spec.license,
                }
                for spec in profile.encoders
            ],
        }
        for name, profile in known_profiles(settings_from_environment()).items()
    ]
    if as_json:
        print_json({"profiles": rows})
        return
    table = Table("profile", "model", "vectors", "licence", "what for", box=None, pad_edge=False)
    for row in rows:
        for number, spec in enumerate(row["encoders"]):
            first = number == 0
            table.add_row(
                plain(row["profile"]) if first else "",
                plain(spec["model"]),
                plain(", ".join(f"{name} ({lane})" for name, lane in spec["lanes"].items())),
                plain(spec["license"]),
                plain(row["description"]) if first else "",
            )
    Console().print(table)


@app.command()
def fetch(
    profile: Annotated[str | None, typer.Option(help="Default: LAWFUL_PROFILE.")] = None,
) -> None:
    """Download a profile's weights into the Hugging Face cache (HF_HOME), once.

    Afterwards HF_HUB_OFFLINE=1 keeps every command off the network.

    Example: [bold]lawful models fetch --profile standard[/]
    """
    from attribution.encoders.profiles import load_encoders

    settings = settings_from_environment()
    for encoder in load_encoders(settings, profile):
        info = encoder.info  # loading is fetching; the hub shows its own progress
        vectors = ", ".join(f"{name} {width}" for name, width in info.vectors.items())
        said = f"{info.model}: {vectors}; revision {info.revision}; {info.license}"
        Console().print(plain(said), markup=False)


@app.command()
def summary(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Write what the models here were trained on: works, licences, consents, who said no.

    Markdown in the order of the European Commission's template for the public summary of training
    content. What only you know, such as your address, is left for you to fill in.

    Example: [bold]lawful models summary > summary.md[/]
    """
    from api.training_summary import TrainingSummaryOut, markdown
    from attribution.collection import open_stores
    from attribution.upkeep.training_summary import summarise

    with open_stores(settings_from_environment()) as stores:
        found = TrainingSummaryOut.of(summarise(stores))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        lines = map(plain, markdown(found).split("\n"))
        print("\n".join(lines), end="")  # noqa: T201  a file, as it stands


def train_starter(
    data: Annotated[Path, typer.Argument(help="Folder or manifest, as for `lawful ingest`.")],
    out: Annotated[Path, typer.Option(help="Folder for the models.")] = Path("starter"),
    clip_steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps of the CLIP.")
    ] = None,
    vae_steps: Annotated[int | None, typer.Option(min=1, help="Training steps of the VAE.")] = None,
    generator_steps: Annotated[
        int, typer.Option(min=1, help="Training steps of the generator.")
    ] = 2_000,
    only: Annotated[str | None, typer.Option(help="Train clip or vae only; default: both.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed.")] = None,
    *,
    generator: Annotated[
        bool,
        typer.Option("--generator", help="Train the generator instead, on every work of DATA."),
    ] = False,
) -> None:
    r"""Train the bundled starter models again, on the training half of the artists.

    CLIP and VAE need the extra lawful-diffusion\[train]. The generator builds on the bundled ones
    and learns only from works whose licence or consent allows it. Stopped and started again, the
    training resumes.

    Example: [bold]lawful train-starter openclipart --out starter[/]
    """
    from attribution.encoders.profiles import STARTER
    from attribution.laboratory.starter import PARTS, Plan, train_starter
    from attribution.laboratory.starter.generator.training import train_generator
    from ingest.lessons import read_lessons, read_starter_works

    chosen = {"clip_steps": clip_steps, "vae_steps": vae_steps, "seed": seed}
    plan = Plan(**{name: value for name, value in chosen.items() if value is not None})
    if only is not None and only not in PARTS:
        raise BadInput(f"--only {only}: choose one of {', '.join(PARTS)}")
    parts = (only,) if only else PARTS
    with _losses(("generator",) if generator else PARTS) as show:
        if generator:
            target = out / "generator"
            lessons, left_out = read_lessons(data)
            train_generator(
                lessons, STARTER, target, steps=generator_steps, seed=plan.seed, progress=show
            )
        else:
            works, left_out = read_starter_works(data)
            train_starter(works, out, plan=plan, parts=parts, progress=show)
    _say_left_out(left_out)


def finetune(
    data: Annotated[Path, typer.Argument(help="Folder or manifest, as for `lawful ingest`.")],
    artist: Annotated[str, typer.Option(help="Artist to learn from, named as in the metadata.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the LoRA.")],
    steps: Annotated[int, typer.Option(min=1, max=100_000, help="Training steps.")] = 200,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Teach the starter generator the style of one artist whose licence or consent allows it.

    Writes a LoRA; LAWFUL_GENERATOR_LORA applies it to the starter generator.

    Example: [bold]lawful finetune portfolio --artist "Franck Doucet" -o franck.safetensors[/]
    """
    from attribution.encoders.profiles import STARTER
    from attribution.laboratory.starter.generator.finetuning import finetune as train
    from attribution.laboratory.starter.generator.works import of_artist
    from ingest.lessons import read_lessons

    check_writable(out, "--out")
    if out.suffix != ".safetensors":
        raise BadInput(f"--out {out}: name a file that ends with .safetensors")
    lessons, left_out = read_lessons(data)
    lessons = of_artist(lessons, artist)
    with _losses(("lora",)) as show:
        train(STARTER / "generator", lessons, out, steps=steps, seed=seed, progress=show)
    said = f"{out}: learned from {len(lessons)} works by {lessons[0].artist}"
    Console().print(plain(said), markup=False, soft_wrap=True)
    _say_left_out(left_out)


def _say_left_out(left_out: Mapping[str, int]) -> None:
    """Say how many works were not learned from, and why."""
    for reason, count in left_out.items():
        Console().print(plain(f"  {count} left out: {reason}"), markup=False, soft_wrap=True)


@contextmanager
def _losses(parts: Sequence[str]) -> Iterator[Callable[[str, int, int, float], None]]:
    """Show a bar of steps, with the loss, for every model that is trained."""
    with progress_bar(status_console()) as bar:
        tasks = {part: bar.add_task(part, total=None) for part in parts}

        def show(part: str, step: int, steps: int, loss: float) -> None:
            said = f"{part} loss {loss:.3f}"
            bar.update(tasks[part], completed=step, total=steps, description=said)

        yield show
