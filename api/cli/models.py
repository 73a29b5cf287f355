"""`lawful models` and `lawful train-starter`: which encoders there are, and how ours was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    plain,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)
from attribution.errors import BadInput

app = typer.Typer(help="Encoders: list the profiles, fetch weights once.", no_args_is_help=True)


@app.command("list")
def list_profiles(
    *, as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False
) -> None:
    """List the profiles with their models and licences.

    Example: [bold]lawful models list[/]
    """
    from attribution.encoders.profiles import PROFILES

    rows = [
        {
            "profile": name,
            "clip": "bundled" if name == "starter" else profile.clip.name,
            "vae": "bundled" if name == "starter" else profile.vae.name,
            "licences": ", ".join(sorted({profile.clip.license, profile.vae.license})),
            "description": profile.description,
        }
        for name, profile in PROFILES.items()
    ]
    if as_json:
        print_json({"profiles": rows})
        return
    table = Table("profile", "CLIP", "VAE", "licences", "what for", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row.values())
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
    for encoder in load_encoders(profile or settings.profile, device="cpu"):
        info = encoder.info  # loading is fetching; the hub shows its own progress
        said = f"{info.name}: {info.model}, weights {info.revision[:12]}, {info.license}"
        Console().print(plain(said), markup=False)


def train_starter(
    data: Annotated[Path, typer.Argument(help="A folder with works and metadata.jsonl.")],
    out: Annotated[Path, typer.Option(help="Where the models go.")] = Path("starter"),
    clip_steps: Annotated[int | None, typer.Option(min=1, help="Steps of the CLIP.")] = None,
    vae_steps: Annotated[int | None, typer.Option(min=1, help="Steps of the VAE.")] = None,
    only: Annotated[str | None, typer.Option(help="clip or vae; default both.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the random numbers.")] = None,
) -> None:
    r"""Train the bundled starter models again, on the training half of the artists.

    Needs the extra lawful-diffusion\[train]. Killed and started again, it goes on.

    Example: [bold]lawful train-starter openclipart --out starter[/]
    """
    from attribution.encoders.starter import PARTS, Plan, train_starter

    chosen = {"clip_steps": clip_steps, "vae_steps": vae_steps, "seed": seed}
    plan = Plan(**{name: value for name, value in chosen.items() if value is not None})
    if only is not None and only not in PARTS:
        raise BadInput(f"--only {only}: choose one of {', '.join(PARTS)}")
    with progress_bar(status_console()) as bar:
        tasks = {part: bar.add_task(part, total=None) for part in PARTS}

        def show(part: str, step: int, steps: int, loss: float) -> None:
            bar.update(
                tasks[part], completed=step, total=steps, description=f"{part} loss {loss:.3f}"
            )

        train_starter(data, out, plan=plan, parts=(only,) if only else PARTS, progress=show)
