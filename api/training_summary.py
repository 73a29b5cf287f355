"""The summary of what models were trained on: as JSON, and as Markdown for people.

Both keep the order of the European Commission's template for the public summary of training content
(C(2025) 8311); what only the provider knows is left for the provider to fill in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from attribution.upkeep.training_summary import CATALOGUE, TrainingSummary

TEMPLATE = (
    "European Commission, Template for the Public Summary of Training Content for general-purpose "
    "AI models, C(2025) 8311"
)
RESERVATION = "Respect of reservation of rights from text and data mining exception or limitation"
FILL_IN = "*For the provider to fill in.*"


class TrainedModelOut(BaseModel):
    """A model, and what it was trained on."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    data: str
    works: int
    artists: int
    made_at: str | None = Field(description="null: with the package, or at every change.")
    licence: str | None = Field(description="Of all its works, where they have one.")
    also: str | None = Field(description="What went in besides works.")
    left_out: dict[str, int] = Field(description="Works that were left out, by reason.")


class ForeignModelOut(BaseModel):
    """A model that others have trained; what on, its card says."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    licence: str | None


class RegisteredOut(BaseModel):
    """The registered works, which the models that learn here learn from."""

    model_config = ConfigDict(from_attributes=True)

    works: int
    artists: int
    may_train: int = Field(description="Whose consent grants training.")
    first_year: int | None
    last_year: int | None
    first_at: datetime | None = Field(description="When the first of them came in.")
    last_at: datetime | None


class LicensedOut(BaseModel):
    """Works under one licence; null: theirs is not known."""

    model_config = ConfigDict(from_attributes=True)

    licence: str | None
    works: int
    may_train: int


class GeneralOut(BaseModel):
    """1. General information."""

    models: list[TrainedModelOut]
    modalities: list[str]
    registered: RegisteredOut


class SourcesOut(BaseModel):
    """2. List of data sources."""

    registered_by_licence: list[LicensedOut]
    models_of_others: list[ForeignModelOut]


class ProcessingOut(BaseModel):
    """3. Data processing aspects."""

    may_not_train: int = Field(description="Registered works whose consent grants no training.")
    denials: dict[str, int] = Field(
        description="Statements that deny training, by where they were made."
    )
    withdrawn: int = Field(description="Works that were withdrawn.")


class TrainingSummaryOut(BaseModel):
    """What was trained on what, in the order of the Commission's template."""

    template: str
    counted_at: datetime
    general: GeneralOut
    sources: SourcesOut
    processing: ProcessingOut

    @classmethod
    def of(cls, found: TrainingSummary) -> Self:
        """Shape a summary."""
        known = found.registered
        return cls(
            template=TEMPLATE,
            counted_at=found.counted_at,
            general=GeneralOut(
                models=[TrainedModelOut.model_validate(one) for one in found.models],
                modalities=["image", "text"],
                registered=RegisteredOut.model_validate(known),
            ),
            sources=SourcesOut(
                registered_by_licence=[LicensedOut.model_validate(one) for one in found.licences],
                models_of_others=[ForeignModelOut.model_validate(one) for one in found.foreign],
            ),
            processing=ProcessingOut(
                may_not_train=known.works - known.may_train,
                denials=dict(found.denials),
                withdrawn=found.withdrawn,
            ),
        )


def markdown(summary: TrainingSummaryOut) -> str:
    """Return the summary as a text that the provider completes and publishes."""
    return "\n".join([*_general(summary), *_sources(summary), *_processing(summary), ""])


def _general(summary: TrainingSummaryOut) -> Iterator[str]:
    known = summary.general.registered
    yield "# Public summary of training content"
    yield ""
    yield f"In the order of: {summary.template}. Counted {summary.counted_at:%Y-%m-%d} (UTC)."
    yield ""
    yield "## 1. General information"
    yield "### 1.1. Provider identification"
    yield FILL_IN
    yield "### 1.2. Model identification"
    yield from _table(
        ("model", "data", "works", "artists", "when"),
        [
            (one.name, one.data, one.works, one.artists, (one.made_at or "–")[:10])
            for one in summary.general.models
        ],
    )
    yield "### 1.3. Modalities, overall training data size and other characteristics"
    yield f"- Modalities: {', '.join(summary.general.modalities)} (titles, captions, tags)"
    yield f"- Registered works: {known.works:,} by {known.artists:,} artists"
    yield f"- Years in which they were made: {_span(known.first_year, known.last_year)}"
    if known.first_at and known.last_at:
        yield f"- Acquired: {known.first_at:%Y-%m-%d} to {known.last_at:%Y-%m-%d}"
    yield ""


def _sources(summary: TrainingSummaryOut) -> Iterator[str]:
    sources, models = summary.sources, summary.general.models
    yield "## 2. List of data sources"
    yield "### 2.1. Publicly available datasets"
    public = [one for one in models if one.licence]
    yield from _table(
        ("dataset", "used for", "works", "licence", "besides"),
        [(one.data, one.name, one.works, one.licence, one.also or "–") for one in public],
    )
    yield "### 2.2. Private non-publicly available datasets obtained from third parties"
    yield (
        "The registered works, by licence. The classifier of the votes sums all of them, whether "
        "or not training is allowed, to say whom an image resembles; it forgets a withdrawn work "
        "exactly. The trained classifier takes those whose consent grants training."
    )
    yield ""
    yield from _table(
        ("licence", "works", "consent grants training"),
        [
            (one.licence or "not known", one.works, one.may_train)
            for one in sources.registered_by_licence
        ],
    )
    for one in models:
        if one.data != CATALOGUE and not one.licence:
            yield f"- {one.name}: {one.works:,} {_plain(one.data)}. Say here whose they are."
    yield "### 2.3. Data crawled and scraped from online sources"
    yield "None by this program, which has no crawler. Where registered works come from, add here."
    yield "### 2.4. User data"
    yield "None: images that are asked about and prompts train nothing."
    yield "### 2.5. Synthetic data"
    yield "None by this program: what it draws is not registered."
    yield "### 2.6. Other sources of data"
    yield "Models that others have trained; what on, their cards say:"
    yield ""
    yield from _table(
        ("model", "licence of its weights"),
        [(one.name, one.licence or "see its card") for one in sources.models_of_others],
    )


def _processing(summary: TrainingSummaryOut) -> Iterator[str]:
    processing = summary.processing
    left_out = [
        (one.name, why, count)
        for one in summary.general.models
        for why, count in one.left_out.items()
    ]
    yield "## 3. Data processing aspects"
    yield f"### 3.1. {RESERVATION}"
    yield "- Without consent no work trains the trained classifier: the default is no"
    yield (
        "- Honoured in the file itself: C2PA and CAWG training-mining assertions, PLUS Data "
        "Mining, `noai` and `noimageai`"
    )
    yield f"- Registered works that may not train: {processing.may_not_train:,}"
    denials = ", ".join(f"{count:,} by {name}" for name, count in processing.denials.items())
    yield f"- Statements that deny training: {denials or 'none'}"
    yield f"- Works that were withdrawn: {processing.withdrawn:,}"
    yield ""
    if left_out:
        yield from _table(("model", "works left out because", "works"), left_out)
    yield "### 3.2. Removal of illegal content"
    yield FILL_IN
    yield "### 3.3. Other information (optional)"
    yield FILL_IN


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    if not rows:
        yield "None."
    else:
        yield from (_row(head), _row(["---"] * len(head)), *map(_row, rows))
    yield ""


def _row(cells: Sequence[object]) -> str:
    said = (f"{one:,}" if isinstance(one, int) else _plain(str(one)) for one in cells)
    return f"| {' | '.join(said)} |"


def _plain(text: str) -> str:
    """Return text from outside so that it stays text in a cell."""
    return " ".join(text.split()).replace("|", "/").replace("`", "'").replace("<", "‹")


def _span(first: int | None, last: int | None) -> str:
    return f"{first} to {last}, where known" if first is not None else "not known"
