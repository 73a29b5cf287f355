"""Ten lines of TOML add an encoder to a running collection, and everything asks it from then on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attribution.collection import open_stores
from attribution.services import open_services
from attribution.upkeep.reindex import change_profile, make_anew
from tests import checkpoints
from tests.asking import a_work, agree, ask_about
from tests.portfolios import ingest, portfolio

if TYPE_CHECKING:
    from attribution.config import Settings

OWN = """
[ours]
extends = "starter"
description = "the bundled models, and one that knows forms"
[[ours.encoders]]
kind = "timm"
model = "local-dir:./forms"
vector = "forms"
lane = "content"
license = "MIT"
"""
VOTING = {"clip", "clip_style", "forms", "palette", "vae_style"}


def shown(_done: int, _total: int) -> None:
    """Show no progress."""


def test_a_third_encoder_votes_is_explained_and_survives_a_reindex(
    ingested: Settings, tmp_path: Path
) -> None:
    """The works are encoded from their originals; new ones get its vector as they come in."""
    checkpoints.save_timm(tmp_path / "forms")
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    settings = ingested.model_copy(update={"profiles": tmp_path / "own.toml"})
    with open_stores(settings) as stores:
        change_profile(stores, "ours", partial=False, keep_old=False, progress=shown)

    settings = settings.model_copy(update={"profile": "ours"})
    with open_services(settings) as services:
        assert services.row.voting.keys() == VOTING
        ingest(services, portfolio(tmp_path / "more", artists=1, works=1), artist="Late")
        answer = ask_about(services, tmp_path)
        exhibits = [work.similarity.keys() for artist in answer.artists for work in artist.works]
        assert {space for artist in answer.artists for space in artist.spaces} == VOTING
        assert exhibits
        assert all(set(one) == services.row.dims.keys() for one in exhibits)
        work = a_work(services)
        before = services.index.vectors([work.id])[work.id]["forms"]
        agree(services)

    with open_stores(settings) as stores:
        make_anew(stores, progress=shown)
    with open_services(settings) as services:
        again = services.index.vectors([work.id])[work.id]["forms"]
        np.testing.assert_allclose(again, before, atol=1e-6)
        assert ask_about(services, tmp_path).artists == answer.artists
        agree(services)
