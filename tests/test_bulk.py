"""`lawful bulk`: many workers make of a source what `lawful ingest` makes of it."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.catalogue.models import Outcome
from attribution.config import Settings
from attribution.encoders.profiles import load_encoders
from attribution.errors import BadInput
from attribution.services import Services, open_services
from ingest.bulk.cluster import without_secrets
from ingest.bulk.encoder import Count, Encoder
from ingest.bulk.loading import load, opened
from ingest.bulk.portions import divide
from ingest.bulk.shards import LIST, write_list
from ingest.fetching import Fetcher
from ingest.options import AS_IT_IS, BY_RULE, Options, Reading
from ingest.summary import Summary, summarise
from tests.commands import RUN, lawful
from tests.likeness import known
from tests.portfolios import ingest_at_once, picture, portfolio

EXAMPLES = Path(__file__).parents[1] / "examples" / "portfolio"


def stub(home: Path, **more: Any) -> Settings:
    """Return settings of a collection whose encoders cost nothing."""
    return Settings(home=home, profile="stub", **more)


def encoded(source: Path, folder: Path, settings: Settings, **more: Any) -> list[Count]:
    """Make the shards of a source in this process; returns what became of each."""
    encoders = load_encoders(settings)
    reading = Reading(artist=more.pop("artist", None))
    encoder = Encoder(settings, encoders, folder, artist=reading.artist, **more)
    folder.mkdir(exist_ok=True)
    divided = divide(source, reading, "")
    counts = [encoder.make(portion) for portion in divided.portions]
    names = [portion.name for portion in divided.portions]
    write_list(folder, names, divided.remarks, encoder.made)
    return counts


def taken(services: Services, folder: Path, options: Options = BY_RULE, **more: Any) -> Summary:
    """Take shards, or the vectors of others, into a collection."""
    with opened(services, folder, **more) as given:
        return summarise(services, load(services, str(folder), given, options, lambda _: None))


def of_files(summary: Summary) -> list[tuple[str, Outcome, str | None]]:
    """Return what became of each file."""
    return [(Path(one.path).name, one.outcome, one.reason) for one in summary.items]


def test_two_workers_make_of_the_example_portfolio_what_ingest_makes_of_it(tmp_path: Path) -> None:
    """Works, vectors, sketches, hashes, rights, consents, statistics, points: bit by bit."""
    home, shards = tmp_path / "one", tmp_path / "shards"
    own = {"LAWFUL_HOME": str(home), "LAWFUL_PROFILE": "stub"}
    bulk = [
        sys.executable,
        "-m",
        "api.cli",
        "bulk",
        str(EXAMPLES),
        str(shards),
        "--workers",
        "2",
        "--json",
    ]
    # Cold: Ray starts servers, and leaves them to the end of its process.
    done = subprocess.run(bulk, env=os.environ | own, capture_output=True, check=True)
    with open_services(stub(home)) as services:
        one = known(services)
    with open_services(stub(tmp_path / "other")) as services:
        single, other = ingest_at_once(services, EXAMPLES), known(services)
    printed = json.loads(done.stdout)

    assert (printed["added"], printed["refused"]) == (single.added, single.refused)
    assert [Path(each["path"]) for each in printed["items"]] == [
        Path(each.path) for each in single.items
    ]
    assert len(list(shards.glob("*.parquet"))) == 2
    for name, rows in other.items():
        assert one[name] == rows, name


def test_every_kind_of_file_and_row_is_told_as_ingest_tells_it(tmp_path: Path) -> None:
    """Broken, blank, transparent, long, repeated, forbidden, unreadable rows: the same outcomes."""
    source = portfolio(tmp_path / "p")
    own = source / "artist-0"
    (own / "broken.png").write_bytes(b"no picture")
    (own / "empty.png").write_bytes(b"")
    picture(1).resize((900, 60)).save(own / "strip.png")
    picture(2).convert("LA").save(own / "alpha.png")
    picture(3).point(lambda _: 255).save(own / "blank.png")
    shutil.copy(own / "work-1.png", own / "again.png")
    shutil.copy(own / "work-2.png", source / "artist-1" / "claimed.png")
    rows = [
        {"file_name": "artist-0/work-0.png", "title": "A boat", "year": 1901, "tags": ["sea"]},
        {"file_name": "artist-0/work-3.png", "consent_index": "no"},
        {"file_name": "artist-1/work-0.png", "consent_train": "yes", "licence": "CC0-1.0"},
        {"file_name": "artist-1/work-1.png", "consent_train": "perhaps"},
        {"file_name": "artist-2/work-2.png", "consent_display": "no"},
    ]
    (source / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (count,) = encoded(source, tmp_path / "shards", stub(tmp_path / "one"))
    with open_services(stub(tmp_path / "one")) as services:
        bulk, one = taken(services, tmp_path / "shards"), known(services)
        again = taken(services, tmp_path / "shards")
    with open_services(stub(tmp_path / "other")) as services:
        single, other = ingest_at_once(services, source), known(services)

    assert of_files(bulk) == of_files(single)
    assert {Outcome.REFUSED, Outcome.ADDED, Outcome.REPEATED, Outcome.CONFLICT} <= {
        one.outcome for one in bulk.items
    }
    assert bulk.blank == 1
    assert count.files == len(bulk.items)
    for name, kept in other.items():
        assert one[name] == kept, name
    assert again.added == 0
    assert again.known == bulk.added + bulk.conflicts


def test_a_shard_that_is_there_is_never_made_again_and_another_source_makes_others(
    tmp_path: Path,
) -> None:
    """A name is made of the rows and of the files: it changes with either."""
    source = portfolio(tmp_path / "p")
    before = divide(source, AS_IT_IS, "")

    assert divide(source, AS_IT_IS, "") == before
    assert divide(source, AS_IT_IS, "others").portions[0].name != before.portions[0].name
    picture(77).save(source / "artist-0" / "work-0.png")
    assert divide(source, AS_IT_IS, "").portions[0].name != before.portions[0].name


@pytest.mark.parametrize("broken", ["{", '{"shards": ["../x.parquet"]}', "[]"])
def test_a_list_of_shards_that_is_none_is_refused(tmp_path: Path, broken: str) -> None:
    """It names the file and the way out."""
    encoded(portfolio(tmp_path / "p"), tmp_path / "shards", stub(tmp_path / "home"))
    (tmp_path / "shards" / LIST).write_text(broken, encoding="utf-8")
    with (
        open_services(stub(tmp_path / "home")) as services,
        pytest.raises(BadInput, match="run the bulk job again"),
    ):
        taken(services, tmp_path / "shards")


def test_vectors_of_other_encoders_never_come_in(tmp_path: Path) -> None:
    """A list that says another fingerprint is refused, and so is a file that does."""
    shards = tmp_path / "shards"
    encoded(portfolio(tmp_path / "p"), shards, stub(tmp_path / "home"))
    said = json.loads((shards / LIST).read_text(encoding="utf-8"))
    other = said | {"fingerprint": "f" * 64}
    (shards / LIST).write_text(json.dumps(other), encoding="utf-8")
    with open_services(stub(tmp_path / "home")) as services:
        with pytest.raises(BadInput, match="come from the encoders ffffffffffff"):
            taken(services, shards)
        (shards / LIST).write_text(json.dumps(said), encoding="utf-8")
        path = shards / said["shards"][0]
        table = pq.read_table(path).replace_schema_metadata({b"lawful": json.dumps(other)})
        pq.write_table(table, path)
        with pytest.raises(BadInput, match="come from the encoders ffffffffffff"):
            taken(services, shards)


@pytest.mark.parametrize(("deaths", "refused"), [({}, 0), ({"deaths": 0}, 0), ({"deaths": 1}, 1)])
def test_a_file_that_ended_two_processes_alone_is_refused_and_the_others_are_done(
    tmp_path: Path, deaths: dict[str, int], refused: int
) -> None:
    """Whoever comes next finds which file was in hand, and how often; once may be chance."""
    settings, source, shards = stub(tmp_path / "home"), portfolio(tmp_path / "p"), tmp_path / "s"
    shards.mkdir()
    (portion,) = divide(source, AS_IT_IS, "").portions
    hand = shards / f".{portion.name}.hand"
    hand.write_text(json.dumps({"alone": 2, "deadly": [], **deaths}), encoding="utf-8")
    (count,) = encoded(source, shards, settings)

    assert (count.files, count.refused) == (12, refused)
    assert not hand.exists()


def test_tars_are_shards_and_one_that_is_damaged_is_told_by_name(tmp_path: Path) -> None:
    """img2dataset's own layout: a JSON a picture in the tar, a table beside it."""
    source = tmp_path / "tars"
    source.mkdir()
    for shard in range(2):
        with tarfile.open(source / f"0000{shard}.tar", "w") as tar:
            for number in range(3):
                key = f"0000{shard}000{number}"
                row = {"key": key, "url": f"https://example.org/{key}", "artist": "Ann Example"}
                _add(tar, f"{key}.png", _png(10 * shard + number))
                _add(tar, f"{key}.json", json.dumps(row).encode())
    (source / "00002.tar").write_bytes(b"no archive at all")
    url = "https://example.org/000000001"
    rows = [{"key": "000000001", "url": url, "consent_index": "no"}]
    pq.write_table(pa.Table.from_pylist(rows), source / "00000.parquet")
    counts = encoded(source, tmp_path / "shards", stub(tmp_path / "home"))
    with open_services(stub(tmp_path / "home")) as services:
        summary, all_ = taken(services, tmp_path / "shards"), known(services)

    assert [one.files for one in counts] == [3, 3, 1]
    assert summary.added == 5
    assert {row["artist_id"] for row in all_["artworks"]} == {"Ann Example"}
    refused = [one for one in summary.items if one.outcome is Outcome.REFUSED]
    assert [Path(one.path).name for one in refused] == ["000000001.png", "00002.tar"]


def test_addresses_are_fetched_by_the_fetcher_that_reaches_no_network_of_ours(
    tmp_path: Path,
) -> None:
    """A picture on this machine is refused with the reason, and taken where a test allows it."""
    with _server(_png(5)) as address:
        rows = [
            {
                "url": f"{address}/a.png",
                "artist": "Ann Example",
                "title": "A",
                "consent_index": None,
            },
            {"url": f"{address}/b.png", "artist": "Ann Example", "consent_index": "no"},
            {"url": None, "artist": "Ann Example"},
        ]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "urls.parquet")
        source, home = tmp_path / "urls.parquet", stub(tmp_path / "home")
        encoded(source, tmp_path / "refused", home)
        fetcher = Fetcher(1_000_000, is_allowed=lambda _: True)
        encoded(source, tmp_path / "taken", home, fetcher=fetcher)
    with open_services(home) as services:
        refused = taken(services, tmp_path / "refused")
        heard = taken(services, tmp_path / "taken")

    assert refused.added == heard.added == 0
    assert "127.0.0.1" in (refused.items[0].reason or "")
    # The same bytes are denied under another address: that no counts.
    assert [one.outcome for one in heard.items] == [Outcome.REFUSED] * 3


def test_workers_are_told_no_secrets(tmp_path: Path) -> None:
    """What Ray carries to them has neither keys nor addresses with passwords."""
    address = "redis://:hush@h:6379/0"
    settings = stub(tmp_path, qdrant_api_key="hush", session_secret="hush" * 8, broker_url=address)

    assert b"hush" in pickle.dumps(settings)
    assert b"hush" not in pickle.dumps(without_secrets(settings))


def test_without_ray_the_command_says_what_to_install(tmp_path: Path) -> None:
    """It is an extra: nothing else of the program needs it."""
    without = f"import sys; sys.modules['ray'] = None; {RUN}"
    source = portfolio(tmp_path / "p", 1, 1)
    done = lawful(tmp_path / "home", "bulk", str(source), str(tmp_path / "s"), run=without)

    assert done.returncode == 1
    assert "pip install 'lawful-diffusion[bulk]'" in " ".join(done.stderr.split())


def _png(seed: int) -> bytes:
    with io.BytesIO() as file:
        picture(seed).save(file, "PNG")
        return file.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


class _server:  # noqa: N801  a context manager
    """Serves one picture at every address."""

    def __init__(self, data: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "image/png")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
