"""How the lookups of late went, and what a calibration keeps of its works."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from attribution.answers import Verdict
from attribution.catalogue.columns import now
from attribution.catalogue.models import KeptCalibration
from attribution.images import read_image_file
from attribution.services import Services
from attribution.upkeep import overview
from attribution.upkeep.overview import kept_of, late
from tests.asking import ask_about


def test_answers_are_counted_by_day_and_copies_by_artist(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the last days, the newest ones; it is said where some are left out."""
    ask_about(services, tmp_path)
    for one in sorted((tmp_path / "p").rglob("*.png"))[:2]:
        services.attributor.attribute(read_image_file(one))

    every = late(services)
    monkeypatch.setattr(overview, "MOST", 2)
    newest = late(services)

    today = every.days[now().date()]
    assert (every.answers, today[Verdict.COPY], sum(today.values())) == (3, 2, 3)
    assert len(every.days) == overview.DAYS + 1
    assert every.copies == [("artist-0", "artist-0", 2)]
    assert (every.is_cut, newest.is_cut, newest.answers) == (False, True, 2)
    assert newest.since >= every.since


def test_a_calibration_keeps_what_was_given_to_its_works() -> None:
    """To the right artist, and to registered artists where the artist was hidden."""
    numbers = {
        "spaces": {"clip": 1.0},
        "weights": [1.0, 1.0],
        "nobody": [0.0, 0.0, 0.0],
        "misfits": [0.05, 0.15, 0.85],
        "strangers": [-3.0, -1.0, 2.0],
        "stranger_weights": [0.5, 0.5, 2.0],
        "familiarity": {"centre": [0.0], "spread": [1.0], "totals": [0.0]},
    }
    row = KeptCalibration(made_at=datetime.now(UTC), voices=["a", "b"], numbers=numbers)

    kept = kept_of(row)

    assert kept is not None
    assert kept.right.works == 3
    assert kept.right.over_half == pytest.approx(2 / 3)
    assert [round(3 * share) for share in kept.right.shares] == [0, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert kept.strangers.over_half == pytest.approx(2 / 3)  # two of its works weigh as one
    assert kept_of(KeptCalibration(voices=[], numbers={})) is None
