"""`lawful demo`: the main job on the bundled examples, start to end."""

from __future__ import annotations

import json
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.bundled import examples_folder
from api.cli.common import plain, settings_from_environment
from api.cli.loading import open_services

if TYPE_CHECKING:
    from attribution.config import Settings

PROMPT = "french fries by juliane krug"
SEED = 7


def own_settings(home: Path) -> Settings:
    """Return settings that keep everything in one folder, wherever the user's collection is."""
    from attribution.config import Settings

    return Settings(
        home=home,
        database_url=f"sqlite:///{home / 'lawful.db'}",
        qdrant_url=str(home / "index"),
        storage_url=str(home),
        broker_url="",
        profile="starter",
        generator="starter",
        generator_lora="",
        generator_variant="",
        generator_scheduler="",
    )


def demo(
    home: Annotated[Path | None, typer.Option(help="Default: LAWFUL_HOME/demo.")] = None,
) -> None:
    """Ingest the example portfolio, attribute the example queries, draw a picture, write a report.

    Takes a minute and changes nothing outside its own folder.

    Example: [bold]lawful demo[/]
    """
    from api.cli import generate, ingest, outcomes, render
    from api.reports.pages import make_page
    from api.reports.report import render_report
    from attribution.custody import How
    from attribution.generation.generator import ImageRequest
    from attribution.images import read_file, read_image
    from attribution.lookup.subjects import Obtained, keeping
    from ingest.options import BY_RULE
    from ingest.sources import read_source
    from ingest.work.jobs import job_queue

    home = (home or settings_from_environment().home / "demo").resolve()
    settings = own_settings(home)
    examples = examples_folder()
    out = Console()
    out.rule("1. A portfolio goes in")
    with open_services(settings) as services:
        portfolio = examples / "portfolio"
        started = time.monotonic()
        with job_queue(services) as queue:
            summary = ingest.run(queue, portfolio, read_source(portfolio), BY_RULE)
        outcomes.show(out, summary, time.monotonic() - started)
        out.rule("2. An image comes back with its artists")
        pages = []
        for query in json.loads((examples / "queries" / "queries.json").read_text("utf-8")):
            read = partial(read_file, examples / "queries" / query["file"], services.limits)
            image = read_image(read(), services.limits)
            keep = keeping(services, image, read, Obtained(How.FILE))
            answer = services.attributor.attribute(image, limit=3, also=keep)
            render.show_attribution(out, query["file"], answer)
            out.print(
                f"  correct answer: {query['truth']}", style="cyan", markup=False, soft_wrap=True
            )
            pages.append(make_page(services, query["file"], image, answer))
        out.rule("3. A prompt comes back as a picture with its artists")
        generation = generate.draw(services.studio, ImageRequest(PROMPT, seed=SEED))
        files = [generate.write(home, picture) for picture in generation.pictures]
        generate.show(out, generation, files)
        pages += generate.pages(services, generation)
    report = home / "report.html"
    report.write_text(render_report(pages, title="Lawful Diffusion: demo"), encoding="utf-8")
    out.rule("4. What next")
    names = {"report": report, "home": home, "lawful": _lawful()}
    names |= {"console": f"http://{settings.host}:{settings.port}/console"}
    shown = {name: escape(plain(value)) for name, value in names.items()}
    out.print(NEXT.format(**shown), soft_wrap=True)


def _lawful() -> str:
    """Return what to type: the bare name where the shell would find this program under it."""
    this = Path(sys.argv[0])
    found = shutil.which("lawful")
    return "lawful" if found and Path(found).samefile(this) else str(this)


NEXT = """The same as pictures, in a browser:
  [bold]{report}[/]
Look for works by words:
  [bold]LAWFUL_HOME={home} {lawful} search "bird"[/]
Your own portfolio (one folder per artist), and your own image:
  [bold]{lawful} ingest FOLDER[/]
  [bold]{lawful} attribute IMAGE --report report.html[/]
A picture of your own:
  [bold]LAWFUL_HOME={home} {lawful} generate "blueman by yutaka kachi" -o out/[/]
All of it in a browser: look an image up, compare, decide. Serve it, then open {console}
  [bold]LAWFUL_HOME={home} {lawful} serve[/]"""
