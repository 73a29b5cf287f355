"""What an answer was computed with, and what has become different since."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from attribution.answers import Attribution, Verdict
from attribution.catalogue import queries
from attribution.catalogue.queries import Origin
from attribution.config import Settings
from attribution.images import read_image_file
from attribution.lookup.differences import Part, State, differences
from attribution.services import Services
from attribution.upkeep import correction
from attribution.upkeep.non_copies import declare, revoke
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, png, upload
from tests.commands import lawful
from tests.portfolios import ingest, picture

US = Origin("tests", by="Ann Example", reason="a test")


@pytest.fixture
def answer(services: Services) -> Attribution:
    """Ask about a registered work."""
    path = services.settings.home.parent / "p" / "artist-1" / "work-0.png"
    return services.attributor.attribute(read_image_file(path), limit=3)


def parts(services: Services, answer: Attribution) -> set[Part]:
    """Return what is different."""
    return {one.part for one in services.attributor.differences(answer.id)}


def test_an_answer_carries_what_it_rests_on(services: Services, answer: Attribution) -> None:
    """The audit up to it, the program, who voted from what, the files of the works."""
    pins = answer.pins
    assert pins is not None
    with services.sessions() as session:
        head = queries.audit_head(session)
        assert pins.entry == head.sequence - 1  # the next one is about the answer
        rows = queries.artworks_by_id(session, [one.id for a in answer.artists for one in a.works])
    assert len(pins.chain) == 64
    assert pins.voters.keys() == {"neighbours", "classifier"}
    assert pins.voters["neighbours"] is None
    assert len(pins.voters["classifier"] or "") == 64
    assert {one.sha256 for a in answer.artists for one in a.works} == {
        row.sha256 for row in rows.values()
    }
    assert answer.copy_of is not None
    assert answer.copy_of.sha256 == answer.image_sha256
    assert services.attributor.recall(answer.id).pins == pins


def test_nothing_is_different_at_first(services: Services, answer: Attribution) -> None:
    """Nor after another question."""
    path = services.settings.home.parent / "p" / "artist-0" / "work-0.png"
    services.attributor.attribute(read_image_file(path))
    assert services.attributor.differences(answer.id) == []


def renamed(services: Services, answer: Attribution) -> None:
    """Call an artist otherwise."""
    del answer
    correction.rename(services, "artist-1", "Another Name", US)


def merged(services: Services, answer: Attribution) -> None:
    """Find two artists to be one."""
    del answer
    correction.merge(services, "artist-1", "artist-0", US, is_confirmed=True)


def moved(services: Services, answer: Attribution) -> None:
    """Give the work to another artist."""
    assert answer.copy_of
    correction.move(services, answer.copy_of.id, "artist-0", US)


def retitled(services: Services, answer: Attribution) -> None:
    """Call the work otherwise."""
    assert answer.copy_of
    correction.correct(services, answer.copy_of.id, {"title": "harbour"}, US)


def withdrawn(services: Services, answer: Attribution) -> None:
    """Forget the work."""
    assert answer.copy_of
    withdraw(services, str(answer.copy_of.id), reason="asked for")


def gone(services: Services, answer: Attribution) -> None:
    """Forget the artist."""
    del answer
    withdraw(services, "artist-1", reason="asked for")


def added(services: Services, answer: Attribution) -> None:
    """Register another work."""
    del answer
    folder = services.settings.home.parent / "more" / "artist-2"
    folder.mkdir(parents=True)
    picture(991).save(folder / "new.png")
    ingest(services, folder.parent)


Change = Callable[[Services, Attribution], None]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (renamed, {Part.ARTIST}),
        (merged, {Part.ARTIST, Part.REGISTERED, Part.VOTER}),
        (moved, {Part.WORK, Part.VOTER}),
        (retitled, {Part.WORK}),
        (withdrawn, {Part.WORK, Part.REGISTERED, Part.VOTER}),
        (gone, {Part.WORK, Part.ARTIST, Part.REGISTERED, Part.VOTER}),
        (added, {Part.REGISTERED, Part.VOTER}),
    ],
)
def test_what_is_different_is_said(
    services: Services, answer: Attribution, change: Change, expected: set[Part]
) -> None:
    """And nothing else: an artist who is called otherwise has not learned other works."""
    assert answer.verdict is Verdict.COPY
    change(services, answer)
    assert parts(services, answer) == expected


def test_a_declaration_of_a_person_is_said(services: Services, tmp_path: Path) -> None:
    """Once it is made, and that it was revoked."""
    path = tmp_path / "altered.jpg"
    picture(100).save(path, quality=90)
    image = read_image_file(path)
    before = services.attributor.attribute(image)
    assert before.laid_on is not None
    row = declare(services, image.facts, before.laid_on.id, US)
    after = services.attributor.attribute(image)

    assert parts(services, before) == {Part.DECLARED}
    assert services.attributor.differences(after.id) == []
    revoke(services, row.id, US)
    assert services.attributor.differences(before.id) == []
    assert parts(services, after) == {Part.DECLARED}


def test_an_answer_without_pins_says_what_cannot_be_compared(
    services: Services, answer: Attribution
) -> None:
    """It was given by an earlier version."""
    now = State("2.0", replace(answer.searched, profile="other", fingerprint="0" * 64), {}, None)
    with services.sessions() as session:
        earlier = differences(session, replace(answer, pins=None), now)
        later = differences(session, answer, now)

    assert [one.part for one in earlier] == [Part.MODEL, Part.UNKNOWN]
    assert [one.part for one in later] == [Part.MODEL, Part.PROGRAM, Part.VOTER, Part.VOTER]


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ("a", None, "nothing is calibrated now"),
        (None, "a", "was not calibrated"),
        ("a", "b", "may mean other probabilities"),
    ],
)
def test_another_calibration_is_said(
    services: Services, answer: Attribution, then: str | None, now: str | None, said: str
) -> None:
    """By its numbers."""
    assert answer.pins is not None
    pins = replace(answer.pins, calibration=then)
    state = State(pins.program, answer.searched, pins.voters, now)
    with services.sessions() as session:
        (found,) = differences(session, replace(answer, pins=pins), state)
    assert found.part is Part.CALIBRATION
    assert said in found.said


def test_over_http(client: TestClient) -> None:
    """The sentences, by id of the answer."""
    upload(client, png(1), artist="Ann")
    made = client.post("/v1/attributions", files={"image": png(1)}).json()
    path = f"/v1/attributions/{made['id']}/differences"
    assert client.get(path).json() == {"attribution": made["id"], "differences": []}

    client.patch("/v1/artists/ann", json={"name": "Ann Example"})
    (found,) = client.get(path).json()["differences"]

    said = "ann was called Ann, and is called Ann Example now"
    assert found == {"part": "artist", "said": said, "about": "ann"}
    is_problem(client.get(f"/v1/attributions/{UUID(int=1)}/differences"), 404, "not-found")


def test_in_the_terminal(ingested: Settings) -> None:
    """A sentence each, or that all is as it was."""
    home, image = ingested.home, str(next((ingested.home.parent / "p").glob("*/*.png")))
    answer = json.loads(lawful(home, "attribute", image, "--json").stdout.splitlines()[-1])
    same = lawful(home, "explain", answer["id"])
    slug = answer["copy_of"]["slug"]
    lawful(home, "rename", slug, "Another Name")
    told = lawful(home, "explain", answer["id"])
    as_json = json.loads(lawful(home, "explain", answer["id"], "--json").stdout)

    assert "everything that was compared is as it was" in same.stdout
    (found,) = as_json["differences"]
    assert (found["part"], found["about"]) == ("artist", slug)
    assert found["said"] in told.stdout
