"""`lawful ingest --vectors`: works come with vectors that others made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL.PngImagePlugin import PngInfo

from attribution.catalogue import queries
from attribution.catalogue.models import Outcome
from attribution.config import Settings
from attribution.errors import BadInput
from attribution.index.points import Probe
from attribution.services import Services, open_services
from attribution.upkeep.calibrating import calibrate_if_due
from attribution.upkeep.reconcile import reconcile
from ingest.bulk.foreign import Foreign
from ingest.bulk.loading import load, opened
from ingest.options import BY_RULE
from ingest.summary import Summary, summarise
from tests.commands import lawful
from tests.likeness import known
from tests.portfolios import ingest_at_once, picture

Rows = list[dict[str, Any]]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open an empty collection."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as found:
        yield found


def rows(services: Services, number: int, artists: int = 2) -> Rows:
    """Return rows of works with a vector for each space."""
    random = np.random.default_rng(7)
    return [
        {
            "path": f"shard/{one:05}.jpg",
            "artist": f"Artist {'ABC'[one % artists]} Example",
            "title": f"Work {one}",
            "year": 1900 + one,
            "licence": "CC-BY-4.0",
            "consent_train": "yes" if one % 2 else "no",
            "sha256": hashlib.sha256(str(one).encode()).hexdigest(),
            **{name: _unit(random, dim).tolist() for name, dim in services.row.dims.items()},
        }
        for one in range(number)
    ]


def table(folder: Path, said: Rows, name: str = "0.parquet", *, but: Collection[str] = ()) -> Path:
    """Write rows as Parquet; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [{key: value for key, value in row.items() if key not in but} for row in said]
    columns = {key: None for row in kept for key in row}
    pq.write_table(
        pa.table({key: [row.get(key) for row in kept] for key in columns}), folder / name
    )
    return folder


def taken(services: Services, folder: Path, **more: Any) -> Summary:
    """Take vectors in that are said to be of the collection's encoders."""
    more.setdefault("model", services.row.fingerprint)
    with opened(services, folder, **more) as given:
        return summarise(services, load(services, str(folder), given, BY_RULE, lambda _: None))


def test_works_come_in_with_their_facts_and_their_vectors_as_they_are(
    services: Services, tmp_path: Path
) -> None:
    """They are found by their vectors, count for the classifier, and have no picture."""
    said = rows(services, 6)
    summary = taken(services, table(tmp_path / "v", said))
    all_ = known(services)
    works = {row["sha256"]: row for row in all_["artworks"]}

    assert (summary.added, summary.refused) == (6, 0)
    for row in said:
        work = works[row["sha256"]]
        assert (work["title"], work["year"], work["licence"]) == (
            row["title"],
            row["year"],
            "CC-BY-4.0",
        )
        assert work["consent_train"] is (row["consent_train"] == "yes")
        assert (work["pixel_sha256"], work["phash"], work["thumbnail"]) == ("", "", None)
        for name in services.row.dims:
            assert np.allclose(all_["stored"][work["id"]][name], row[name], atol=1e-3)
    assert sum(all_["counted"].values()) == 6
    assert not all_["copy_sketches"]
    first = {name: np.array(said[0][name], np.float32) for name in services.row.dims}
    legs = services.index.neighbours(Probe(first), limit=1)
    assert {leg[0].id for leg in legs.values()} == {works[said[0]["sha256"]]["id"]}


def test_a_second_run_skips_what_is_known_and_goes_on(services: Services, tmp_path: Path) -> None:
    """A job that ended midway is gone on with by another one."""
    said = rows(services, 6)
    taken(services, table(tmp_path / "some", said[:4]))
    summary = taken(services, table(tmp_path / "all", said))

    assert (summary.added, summary.known) == (2, 4)


def test_a_bad_row_is_told_with_its_reason_and_stops_nothing(
    services: Services, tmp_path: Path
) -> None:
    """NaN, zeros, another width, no vector, no artist, no hash: the others come in."""
    said = rows(services, 7)
    name, dim = next(iter(services.row.dims.items()))
    said[0][name] = [float("nan")] * dim
    said[1][name] = [0.0] * dim
    said[2][name] = said[2][name][1:]
    said[3][name] = None
    said[4]["artist"] = ""
    said[5]["sha256"] = "none"
    summary = taken(services, table(tmp_path / "v", said))
    reasons = [one.reason or "" for one in summary.items]

    assert [one.outcome for one in summary.items] == [Outcome.REFUSED] * 6 + [Outcome.ADDED]
    assert "not finite" in reasons[0]
    assert "is zero" in reasons[1]
    assert f"has {dim - 1} numbers, not {dim}" in reasons[2]
    assert "has 0 numbers" in reasons[3]
    assert "no artist" in reasons[4]
    assert "no sha256" in reasons[5]


def test_a_no_is_heard_wherever_it_stands(services: Services, tmp_path: Path) -> None:
    """In the row, in another row about the same bytes; one that cannot be read holds its work."""
    said = rows(services, 5)
    said[0]["consent_index"] = "no"
    said[3]["sha256"] = said[1]["sha256"]
    said[3]["consent_index"] = "no"
    said[2]["consent_display"] = "perhaps"
    said[4]["consent_index"] = None
    summary = taken(services, table(tmp_path / "v", said))

    assert [one.outcome for one in summary.items] == [Outcome.REFUSED] * 4 + [Outcome.ADDED]


def test_a_column_about_permission_that_nobody_can_read_stops_everything(
    services: Services, tmp_path: Path
) -> None:
    """Before the first row is taken."""
    said = [row | {"opt_out": "x"} for row in rows(services, 2)]
    with pytest.raises(BadInput, match="opt_out"):
        taken(services, table(tmp_path / "v", said))

    assert not known(services)["artworks"]


@pytest.mark.parametrize("model", [None, "ffffffffffff", "short", ""])
def test_models_are_never_mixed(services: Services, tmp_path: Path, model: str | None) -> None:
    """Whoever brings vectors says which encoders made them; nothing is assumed."""
    folder = table(tmp_path / "v", rows(services, 1))
    with pytest.raises(BadInput, match=services.row.fingerprint[:12]):
        taken(services, folder, model=model)


def test_a_space_that_is_missing_is_named(services: Services, tmp_path: Path) -> None:
    """A work has all vectors of its collection."""
    name = min(services.row.dims)
    with pytest.raises(BadInput, match=f"has no vectors {name}"):
        taken(services, table(tmp_path / "v", rows(services, 1), but=[name]))


def test_arrays_of_clip_retrieval_and_their_metadata_are_read_together(
    services: Services, tmp_path: Path
) -> None:
    """Half precision and any length: a vector is of length 1 in the collection."""
    said = rows(services, 5)
    names = services.row.dims
    folder = table(tmp_path / "v" / "metadata", said[:3], "metadata_0.parquet", but=names).parent
    table(folder / "metadata", said[3:], "metadata_1.parquet", but=names)
    (folder / "img_emb").mkdir()
    arrays = 3 * np.random.default_rng(1).standard_normal((5, 16))
    for number, few in enumerate((arrays[:3], arrays[3:])):
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", few.astype(np.float16))
    dims = {"clip": 16}
    found = [row for few in Foreign(folder, dims, tmp_path).batches() for row in few]

    assert [row.sha256 for row in found] == [one["sha256"] for one in said]
    for row, array in zip(found, arrays, strict=True):
        assert np.allclose(row.vectors["clip"], array / np.linalg.norm(array), atol=2e-3)
        assert abs(np.linalg.norm(row.vectors["clip"]) - 1) < 1e-6
    np.save(folder / "img_emb" / "img_emb_1.npy", np.ones((9, 16), np.float16))
    with pytest.raises(BadInput, match="do not belong together"):
        Foreign(folder, dims, tmp_path)
    (folder / "img_emb" / "img_emb_1.npy").write_bytes(b"no array")
    with pytest.raises(BadInput, match="cannot be read"):
        Foreign(folder, dims, tmp_path)


def test_votes_are_calibrated_on_works_without_pictures(services: Services, tmp_path: Path) -> None:
    """No hash tells which of them are the same picture: each counts by itself."""
    taken(services, table(tmp_path / "v", rows(services, 40)))
    calibrate_if_due(services, stopping=lambda: False)

    with services.sessions() as session:
        found = queries.calibration_of(session, services.row.fingerprint)
    assert found is not None
    assert found.works == 40


def test_a_file_that_comes_later_gives_its_work_all_that_a_new_one_gets(
    services: Services, tmp_path: Path
) -> None:
    """Hashes, facts, rights, sketches, a thumbnail, its own no; the source's words stay."""
    source = tmp_path / "files"
    (source / "Artist A Example").mkdir(parents=True)
    file = source / "Artist A Example" / "one.png"
    notes = PngInfo()
    notes.add_text("Comment", "noai")
    picture(1).save(file, pnginfo=notes)
    said = rows(services, 1)
    said[0] |= {
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "consent_train": "yes",
        "path": "Artist A Example/one.png",
    }
    taken(services, table(tmp_path / "v", said))
    before = known(services)
    later, again = ingest_at_once(services, source), ingest_at_once(services, source)
    after = known(services)
    with open_services(Settings(home=tmp_path / "other", profile="stub")) as other:
        ingest_at_once(other, source)
        new = known(other)
        with other.sessions() as session:
            size = queries.held(session)

    (was,), (now,), (fresh,) = before["artworks"], after["artworks"], new["artworks"]
    assert (later.added, later.corrected, again.corrected) == (0, 1, 0)
    assert (was["consent_train"], now["consent_train"]) == (True, False)
    for name in ("pixel_sha256", "phash", "facts", "rights", "thumbnail"):
        assert now[name] == fresh[name]
    assert now["title"] == "Work 0"
    assert after["copy_sketches"] == new["copy_sketches"]
    assert after["thumbnails"] == new["thumbnails"]
    assert after["points"][0][-1] == new["points"][0][-1]
    assert after["stored"] == before["stored"]
    with services.sessions() as session:
        assert queries.held(session) == size


def test_repair_looks_for_no_file_of_works_that_never_had_one(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay told as works whose copies are not recognised."""
    taken(services, table(tmp_path / "v", rows(services, 3)))
    asked: list[str] = []
    monkeypatch.setattr(services.store, "original", asked.append)
    report = reconcile(services, repair=True)

    assert report.unsketched == 3
    assert not asked


def test_the_command_takes_vectors_and_refuses_options_about_pictures(
    services: Services, tmp_path: Path
) -> None:
    """It prints what every ingest prints; exit code 3 where a row was refused."""
    said = rows(services, 3)
    said[2]["artist"] = ""
    folder, home = table(tmp_path / "v", said), tmp_path / "of the command"
    model = services.row.fingerprint[:12]
    done = lawful(home, "ingest", "--vectors", str(folder), "--model", model, "--json")
    dry = lawful(home, "ingest", "--vectors", str(folder), "--model", model, "--dry-run")
    other = lawful(home, "ingest", str(folder), "--model", model)

    printed = json.loads(done.stdout)
    assert (done.returncode, printed["added"], printed["refused"]) == (3, 2, 1)
    assert (dry.returncode, other.returncode) == (1, 1)
    assert "--dry-run" in dry.stderr
    assert "--vectors" in other.stderr


def _unit(random: np.random.Generator, dim: int) -> np.ndarray:
    vector = random.standard_normal(dim)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
