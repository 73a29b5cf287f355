"""Columns that nobody reads, and may say no all the same: their table is not believed.

A column called as a purpose holds numbers of rows or names of splits, a column without a name no
answers, any other no column of answers of which one is a no, but for what sellers and museums ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.sources import cells
from ingest.sources.columns import CARRY_OVER, CONSENTS, PURPOSE, fold, permits, words_of
from ingest.sources.raw import Raw, Unreadable

SPLITS = {"split", "subset", "partition", "fold", "set", "phase"}  # "train" is a part of a dataset
PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "all"}
USES = {*PURPOSE, "generation", "aitrain", *map(fold, CONSENTS)}  # folded, and without "-ing"
READS = f"this program reads {', '.join(CONSENTS)}"
# What lists of works ask with yes or no, and that is no permission.
ASKED = frozenset(
    """signed framed sold available original originals dated unique edition editioned limited
    numbered mounted matted varnished stretched stock sale damaged restored certificate
    certified coa authenticated verified insured loan loaned exhibited awarded commissioned
    commission gift paid shipped invoiced photographed scanned inventoried catalogued
    catalogued reproduction print printed giclee digital color colour coloured bw hdr flash
    vertical horizontal portrait landscape square panorama transparent alpha grayscale
    grayscaled face faces people blurry finished completed complete cover series diptych
    triptych sided frame signature vat returned consigned consignment nsfw mature sensitive
    explicit adult nude nudity animated duplicate duplicated flipped mirrored rotated cropped
    watermark watermarked featured favorite favourite new generated signiert gerahmt verkauft
    verfugbar datiert unikat nummeriert signe signee encadre encadree vendu vendue disponible
    date datee firmado firmada enmarcado enmarcada vendido vendida fechado firmato firmata
    incorniciato venduto venduta disponibile""".split()  # noqa: SIM905  prose
)
SMALL = frozenset(
    ("is", "has", "was", "are", "for", "in", "on", "of", "the", "a", "by", "ai", "it")
)


@dataclass
class _Column:
    """What one column has held so far."""

    header: str
    purposes: int = 0  # names of purposes less other cells
    is_flags: bool = True  # every number is 0 or 1
    number: str | None = None  # where the first stands
    is_answers: bool = True  # every cell is a yes or a no
    denial: str | None = None  # where the first no stands


class Unused:
    """What stands in the columns that are not understood."""

    def __init__(self, headers: Iterable[str]) -> None:
        self._columns = {header: _Column(header) for header in (*headers, "")}

    def seen(self, raws: Iterable[Raw]) -> Iterator[Raw]:
        """Pass rows on and look at them; raises Unreadable."""
        for raw in raws:
            for header, value in raw.cells:
                if (column := self._columns.get(header)) and not cells.is_empty(value):
                    _look(column, raw, value)
            yield raw

    def check(self, shown: str) -> None:
        """Raise Unreadable for what all rows together show."""
        for column in self._columns.values():
            name = repr(column.header.strip()[:60])
            if column.purposes > 0 and not SPLITS & set(words_of(column.header).split("_")):
                raise Unreadable(
                    f"{shown}: {name} names purposes, a row for each; this program reads one row "
                    f"for each picture, with the columns {', '.join(CONSENTS)}"
                )
            if column.number and column.is_flags and fold(column.header) in PURPOSE:
                raise _answers(column.number, f"column {name} says 0 or 1")
            if column.is_answers and column.denial and not _is_asked(column.header):
                raise _answers(column.denial, f"column {name} says yes or no, and here no")


def _look(column: _Column, raw: Raw, value: object) -> None:
    folded = fold(column.header)
    if any(fold(key) in PURPOSE or permits(key) for key in cells.keys_within(value)):
        raise Unreadable(
            f"{raw.where}: {column.header[:60]!r} speaks about permission; use columns for it"
        )
    is_purpose = isinstance(value, str) and fold(value).removesuffix("ing") in USES
    column.purposes += 1 if is_purpose else -1
    if raw.fault is not None:  # its cells may stand under other heads
        return
    said = cells.answer(value)
    if not folded and said is not None:
        raise _answers(raw.where, f"a column without a name says {value!r}")
    if folded in PURPOSE:
        number = _number(value)
        if number is None and not (isinstance(value, str) and fold(value) in PARTS):
            raise _answers(raw.where, f"column {column.header.strip()!r} says {str(value)[:40]!r}")
        if number is not None:
            column.number = column.number or raw.where
            column.is_flags &= number in {0, 1}
    column.is_answers &= said is not None
    if said is False and str(value).strip().casefold() != "f":  # "f" alone is a sex as well
        column.denial = column.denial or raw.where


def _answers(where: str, says: str) -> Unreadable:
    return Unreadable(f"{where}: {says}; {READS}: rename it, or {CARRY_OVER}")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _is_asked(header: str) -> bool:
    words = set(words_of(header).split("_"))
    return not words - {""} or (bool(words & ASKED) and words <= ASKED | SMALL)
