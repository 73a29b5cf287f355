"""Declared non-copies: what they silence, that every answer says so, and how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from markupsafe import escape
from PIL import Image
from sqlalchemy import update

from api.answers import AnswerOut, FindingsOut, MemberOut
from api.http.app import create_app
from api.reports.pages import make_page
from api.reports.report import render_report
from attribution.answers import Attribution, CopyKind, DeclaredNonCopy, Verdict
from attribution.catalogue import queries
from attribution.catalogue.models import ChangeKind, NonCopy, NonCopyState
from attribution.catalogue.queries import Origin
from attribution.config import Settings
from attribution.errors import BadInput, Conflict, Hint, NotFound, Way
from attribution.images import CheckedImage, read_image_file
from attribution.lookup.findings import find_ours
from attribution.lookup.wording import headline, how_copied, lanes
from attribution.services import Services, open_services
from attribution.upkeep.non_copies import LONGEST_NAME, LONGEST_REASON, declare, revoke
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, local_client, png
from tests.asking import a_work
from tests.commands import lawful
from tests.corrections import changes
from tests.databases import at_once
from tests.homes import copy_home
from tests.portfolios import ingest
from tests.test_copies import ARTIST, cropped, drawing

INVALID = "invalid-request"
BY = "Bob Example"
WHY = "two drawings of one harbour"
BOB = Origin("test", WHY, BY)
CARLA = Origin("test", "cropped from it after all", "Carla Example")


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ingest one drawing of one artist; for copies only."""
    folder = tmp_path_factory.mktemp("pairs")
    own = folder / "p" / ARTIST
    own.mkdir(parents=True)
    drawing(1).save(own / "boat.png")
    with open_services(Settings(home=folder / "home", profile="stub")) as services:
        ingest(services, folder / "p")
    return folder / "home"


@pytest.fixture
def services(filled_once: Path, tmp_path: Path) -> Iterator[Services]:
    """Open a collection of one drawing."""
    home = copy_home(filled_once, tmp_path / "home")
    with open_services(Settings(home=home, profile="stub")) as opened:
        yield opened


@pytest.fixture
def work(services: Services) -> UUID:
    """Return the id of the drawing."""
    return a_work(services, ARTIST, "boat").id


@pytest.fixture
def disputed(tmp_path: Path) -> CheckedImage:
    """Return a part of the drawing, about which people may differ."""
    return saved(cropped(drawing(1)), tmp_path / "disputed.png")


def saved(image: Image.Image, path: Path) -> CheckedImage:
    """Save and read an image."""
    image.save(path)
    return read_image_file(path)


def ask(services: Services, image: CheckedImage) -> Attribution:
    """Return the answer about an image."""
    return services.attributor.attribute(image)


def silenced(answer: Attribution) -> DeclaredNonCopy:
    """Return the one thing that an answer does not say."""
    (one,) = answer.declared
    return one


def test_an_answer_says_what_it_does_not_say(
    services: Services, work: UUID, disputed: CheckedImage
) -> None:
    """Who declared what, when and why, and what is said otherwise; also when it is read again."""
    before = ask(services, disputed)
    row = declare(services, disputed.facts, work, BOB)

    answer = ask(services, disputed)

    one = silenced(answer)
    assert before.declared == ()
    assert (before.verdict, answer.verdict) == (Verdict.COPY, Verdict.ABSTAIN)
    assert answer.laid_on is None
    assert one.would_be == before.copy_of
    assert (one.id, one.by, one.reason, one.until) == (row.id, BY, WHY, None)
    assert one.is_this_image
    says = (
        f"A pair was declared no copy on {datetime.now(UTC):%Y-%m-%d} by “{BY}”: “{WHY}”; without "
        f"that: shows “boat” by ann (ann), with differences "
        f"({how_copied(one.would_be)}). Declaration {row.id}."
    )
    assert lanes(answer)["copy"].endswith(says)
    assert headline(answer).endswith("; a finding was declared no copy.")
    assert services.attributor.recall(answer.id) == answer
    assert (
        AnswerOut.of(answer).model_dump(mode="json")["declared"][0]["would_be"]["kind"]
        == "altered_copy"
    )
    assert escape(says) in render_report([make_page(services, "found.png", disputed, answer)])
    member = services.attributor.member(disputed)
    assert (member.copy_of, member.declared) == (None, answer.declared)
    assert MemberOut.of(member).summary.endswith(says)
    findings = find_ours([answer, before])
    assert findings.declared == (answer.id,)
    assert "; 1 with a finding that was declared no copy; " in FindingsOut.of(findings).summary


def test_the_same_image_saved_again_names_the_declaration(
    services: Services, work: UUID, disputed: CheckedImage, tmp_path: Path
) -> None:
    """It is silent as long as it is nearer to the declared image than to the work."""
    row = declare(services, disputed.facts, work, BOB)

    again = ask(services, saved(cropped(drawing(1)).resize((220, 165)), tmp_path / "again.png"))
    other = ask(services, saved(drawing(1).resize((160, 120)), tmp_path / "whole.png"))

    one = silenced(again)
    assert (one.id, one.is_this_image) == (row.id, False)
    like = f"A pair with an image nearly like this one (SHA-256 {disputed.facts.sha256[:12]}…) was"
    assert like in lanes(again)["copy"]
    assert other.copy_of is not None
    assert other.declared == ()


def test_a_declaration_about_this_very_image_counts_first(
    services: Services, work: UUID, disputed: CheckedImage, tmp_path: Path
) -> None:
    """However near another one is."""
    again = saved(cropped(drawing(1)).resize((220, 165)), tmp_path / "again.png")
    declare(services, again.facts, work, BOB)
    own = declare(services, disputed.facts, work, BOB)

    assert silenced(ask(services, disputed)).id == own.id


def test_what_is_revoked_or_over_silences_nothing(
    services: Services, work: UUID, disputed: CheckedImage
) -> None:
    """The pair is found again; earlier answers stay as they were given."""
    until = datetime.now(UTC) + timedelta(days=1)
    first = declare(services, disputed.facts, work, BOB, until=until)
    earlier = ask(services, disputed)
    assert f"by “{BY}” until {until:%Y-%m-%d %H:%M UTC}: “{WHY}”" in lanes(earlier)["copy"]
    with services.sessions.begin() as session:
        session.execute(update(NonCopy).values(until=until - timedelta(days=2)))

    assert ask(services, disputed).copy_of is not None
    with pytest.raises(Conflict, match="is over since"):
        revoke(services, first.id, CARLA)

    second = declare(services, disputed.facts, work, BOB)
    silent = ask(services, disputed)
    assert silent.copy_of is None
    gone = revoke(services, second.id, CARLA)
    assert gone.revoked is not None
    assert (gone.revoked.by, gone.revoked.reason) == (CARLA.by, CARLA.reason)
    found = ask(services, disputed)
    assert found.copy_of is not None
    assert found.declared == ()
    assert services.attributor.recall(earlier.id) == earlier
    revoked = f"It was revoked on {gone.revoked.made_at:%Y-%m-%d} by “{CARLA.by}”."
    past = replace(earlier.declared[0], until=until - timedelta(days=2))
    over = replace(earlier, declared=(past,))  # as it is read when that day has come
    for now, ended in ((over, "It is over."), (services.attributor.recall(silent.id), revoked)):
        assert headline(now).endswith("no copy, which is no longer so: ask again.")
        assert ended in lanes(now)["copy"]
        assert ended in render_report([make_page(services, "found.png", disputed, now)])
    with services.sessions() as session:
        rows = queries.list_non_copies(session).items
    assert [row.state for row in rows] == [NonCopyState.REVOKED, NonCopyState.OVER]


def test_no_word_of_a_person_reads_as_the_programs_own(
    services: Services, work: UUID, disputed: CheckedImage
) -> None:
    """Whatever they call themselves, and whatever the reason is: it stands in quotation marks."""
    by, why = "Bob”; nothing is named", "other”. “No registered work was found in it"
    declare(services, disputed.facts, work, Origin("test", why, by))

    says = lanes(ask(services, disputed))["copy"]

    assert "by “Bob'; nothing is named”: “other'. 'No registered work was found in it”; " in says


def test_declarations_and_revokings_stand_in_the_history(
    services: Services, work: UUID, disputed: CheckedImage
) -> None:
    """In the order of time, by id; an undo names what does it instead."""
    row = declare(services, disputed.facts, work, BOB)
    with pytest.raises(BadInput, match="revoke it") as way:
        undo(services, row.id, Origin("test"))
    assert way.value.hint == Hint(Way.REVOKE_NON_COPY, (row.id,))
    revoke(services, row.id, CARLA)

    revoked, declared = changes(services)

    assert (declared.id, declared.kind) == (row.id, ChangeKind.DECLARE)
    assert (declared.by, declared.reason, declared.origin) == (BY, WHY, "test")
    assert declared.after == {"image_sha256": disputed.facts.sha256}
    assert (revoked.kind, revoked.undoes_id, revoked.by) == (ChangeKind.REVOKE, row.id, CARLA.by)
    assert {declared.artwork_id, revoked.artwork_id} == {work}
    with pytest.raises(BadInput, match="declare it again"):
        undo(services, revoked.id, Origin("test"))


def test_bad_declarations_are_refused(
    services: Services, work: UUID, disputed: CheckedImage, tmp_path: Path
) -> None:
    """Each says what is wrong and what to do; nothing is declared."""
    exact = saved(drawing(1), tmp_path / "exact.png")
    past = datetime.now(UTC) - timedelta(minutes=1)
    with pytest.raises(Conflict, match=f"very pixels of artwork {work}.*withdraw it"):
        declare(services, exact.facts, work, BOB)
    with pytest.raises(NotFound, match="no artwork"):
        declare(services, disputed.facts, uuid4(), BOB)
    with pytest.raises(BadInput, match="has passed"):
        declare(services, disputed.facts, work, BOB, until=past)
    for origin, says in (
        (Origin("test", WHY, " \u200b"), "the name of whoever says so is empty"),
        (Origin("test", None, BY), "the reason is empty"),
        (Origin("test", WHY, "b" * (LONGEST_NAME + 1)), "201 characters; give at most 200"),
        (Origin("test", "w" * (LONGEST_REASON + 1), BY), "2001 characters; give at most 2000"),
    ):
        with pytest.raises(BadInput, match=says):
            declare(services, disputed.facts, work, origin)
    with services.sessions() as session:
        assert queries.list_non_copies(session).items == ()

    row = declare(services, disputed.facts, work, BOB)
    with pytest.raises(Conflict, match=f"declared already, by declaration {row.id}"):
        declare(services, disputed.facts, work, CARLA)
    with pytest.raises(NotFound, match="no declared non-copy"):
        revoke(services, uuid4(), CARLA)
    revoke(services, row.id, CARLA)
    with pytest.raises(Conflict, match=f"was revoked on .* by {CARLA.by}"):
        revoke(services, row.id, CARLA)


def test_a_pair_is_declared_and_revoked_once(
    services: Services, work: UUID, disputed: CheckedImage
) -> None:
    """However many people do so at once: the others are told who was faster."""

    def declared(name: str) -> UUID | None:
        with suppress(Conflict):
            return declare(services, disputed.facts, work, replace(BOB, by=name)).id
        return None

    def revoked(name: str) -> UUID | None:
        with suppress(Conflict):
            return revoke(services, row, replace(CARLA, by=name)).id
        return None

    (row,) = filter(None, at_once(declared, "abcd"))

    assert list(filter(None, at_once(revoked, "abcd"))) == [row]
    assert len(changes(services)) == 2


def test_a_withdrawal_takes_declarations_along(
    services: Services, work: UUID, disputed: CheckedImage
) -> None:
    """The row goes, and with it title and reason out of recorded answers and the history."""
    row = declare(services, disputed.facts, work, BOB)
    answer = ask(services, disputed)

    receipt = withdraw(services, ARTIST, reason="asked for").receipt

    assert receipt["removed"]["declared non-copies"] == 1
    assert not any(receipt["left"].values())
    one = silenced(services.attributor.recall(answer.id))
    assert (one.would_be.id, one.would_be.title, one.reason) == (work, None, None)
    assert services.attributor.recall(answer.id).removed
    (declared,) = changes(services)
    assert (declared.id, declared.by, declared.reason, declared.after) == (row.id, BY, None, {})
    with services.sessions() as session, pytest.raises(NotFound):
        queries.non_copy_by_id(session, row.id)
    with pytest.raises(NotFound, match="withdrawn"):
        declare(services, disputed.facts, work, BOB)


def test_a_withdrawn_file_takes_declarations_about_it_along(
    services: Services, work: UUID, disputed: CheckedImage, tmp_path: Path
) -> None:
    """It was declared no copy of another's work, for a reason that may speak of it."""
    declare(services, disputed.facts, work, BOB)
    own = tmp_path / "q" / "cy"
    own.mkdir(parents=True)
    cropped(drawing(1)).save(own / "crop.png")
    ingest(services, tmp_path / "q")

    receipt = withdraw(services, "cy", reason="asked for").receipt

    assert receipt["removed"]["declared non-copies"] == 1
    assert [(one.reason, one.after) for one in changes(services)] == [(None, {})]


def test_a_related_finding_is_named_as_one(services: Services, work: UUID, tmp_path: Path) -> None:
    """What would be for a person to look at is not called more than that."""
    red, green, blue = drawing(1).split()
    image = saved(Image.merge("RGB", (blue, red, green)), tmp_path / "recoloured.png")
    before = ask(services, image)
    declare(services, image.facts, work, BOB)

    answer = ask(services, image)

    assert before.related_to is not None
    assert silenced(answer).would_be.kind is CopyKind.NEAR_IDENTICAL
    assert "; without that: shares much with “boat” by ann (ann), or with its" in str(lanes(answer))


def test_the_command_line(filled_once: Path, tmp_path: Path) -> None:
    """Declare, list, revoke; answers and the history in between say so."""
    home = copy_home(filled_once, tmp_path / "home")
    cropped(drawing(1)).save(tmp_path / "found.png")
    image = str(tmp_path / "found.png")
    found = json.loads(lawful(home, "attribute", image, "--json").stdout)
    pair = image, found["copy_of"]["id"]
    by = "--by", BY, "--reason", WHY

    assert lawful(home, "non-copies", "declare", *pair, "--by", BY).returncode == 2
    past = lawful(home, "non-copies", "declare", *pair, *by, "--until", "2001-01-01")
    assert past.stderr.startswith("error: the declaration would be over: 2001-01-01")
    made = lawful(home, "non-copies", "declare", *pair, *by, "--until", "2999-01-01", "--json")
    row = json.loads(made.stdout)
    assert (row["by"], row["state"], row["revoked"]) == (BY, "in_force", None)
    assert row["until"] == "2999-01-01T23:59:59.999999Z"
    shown = " ".join(lawful(home, "attribute", image).stdout.split())
    assert f"by “{BY}” until 2999-01-01 23:59 UTC: “{WHY}”" in shown
    recorded = json.loads(lawful(home, "attribute", image, "--json").stdout)
    again = " ".join(lawful(home, "show", recorded["id"]).stdout.split())
    assert f"Declaration {row['id']}." in again
    listed = lawful(home, "non-copies", "list", "--in-force").stdout
    assert "in force" in listed
    assert f"id {row['id']}" in listed
    assert lawful(home, "undo", row["id"]).returncode == 1

    revoked = lawful(home, "non-copies", "revoke", row["id"], "--by", "Carla", "--reason", "no")
    assert "revoked" in revoked.stdout
    assert lawful(home, "non-copies", "list", "--in-force").stdout == "no such declaration\n"
    assert json.loads(lawful(home, "attribute", image, "--json").stdout)["copy_of"]
    history = lawful(home, "changes").stdout
    assert history.index("revoke") < history.index("declare")
    assert f"by {BY}, command line" in history


def test_over_http(filled_once: Path, tmp_path: Path) -> None:
    """Declared, listed in pages, filtered, read, revoked; every no is a problem of its own."""
    home = copy_home(filled_once, tmp_path / "home")
    image = saved(cropped(drawing(1)), tmp_path / "found.png")
    file = {"image": (tmp_path / "found.png").read_bytes()}
    other = {"image": png(3)}
    app = create_app(Settings(home=home, profile="stub"))
    with local_client(app, raise_server_exceptions=False) as client:
        (work,) = client.get("/v1/artworks").json()["items"]
        said = {"artwork_id": work["id"], "by": BY, "reason": WHY}
        for missing in ("by", "reason"):
            few = {name: value for name, value in said.items() if name != missing}
            body = is_problem(client.post("/v1/non-copies", files=file, data=few), 422, INVALID)
            assert body["errors"][0]["loc"] == ["body", missing]
        long = client.post("/v1/non-copies", files=file, data=said | {"by": "b" * 201})
        is_problem(long, 422, INVALID)
        past = client.post("/v1/non-copies", files=file, data=said | {"until": "2001-01-01T00:00"})
        assert "2001-01-01 00:00 UTC has passed" in is_problem(past, 422, "bad-input")["detail"]

        made = client.post(
            "/v1/non-copies", files=file, data=said | {"until": "2999-01-01T02:00+02:00"}
        )
        assert made.status_code == 201, made.text
        row = made.json()
        assert row["image_sha256"] == image.facts.sha256
        assert (row["state"], row["by"], row["reason"]) == ("in_force", BY, WHY)
        assert row["until"] == "2999-01-01T00:00:00Z"
        assert client.get(made.headers["location"]).json() == row
        is_problem(client.post("/v1/non-copies", files=file, data=said), 409, "conflict")
        second = client.post("/v1/non-copies", files=other, data=said).json()

        answer = client.post("/v1/attributions", files=file).json()
        assert answer["declared"][0]["id"] == row["id"]
        assert row["id"] in answer["lanes"]["copy"]
        report = client.get(f"/v1/attributions/{answer['id']}/report").text
        assert f"Declaration {row['id']}." in report
        joint = client.post("/v1/attributions/findings", json={"attributions": [answer["id"]]})
        assert joint.json()["declared"] == [answer["id"]]

        by = {"by": CARLA.by, "reason": CARLA.reason}
        revoke_it = f"/v1/non-copies/{row['id']}/revoke"
        is_problem(client.post(revoke_it, json={"by": CARLA.by}), 422, INVALID)
        revoked = client.post(revoke_it, json=by).json()
        assert (revoked["state"], revoked["revoked"]["by"]) == ("revoked", CARLA.by)
        is_problem(client.post(revoke_it, json=by), 409, "conflict")
        is_problem(client.post(f"/v1/non-copies/{uuid4()}/revoke", json=by), 404, "not-found")

        first = client.get("/v1/non-copies", params={"limit": 1, "work": work["id"]}).json()
        then = client.get("/v1/non-copies", params={"limit": 1, "cursor": first["next"]}).json()
        assert [one["id"] for one in first["items"] + then["items"]] == [second["id"], row["id"]]
        assert then["next"] is None
        for is_so, wanted in ((True, second), (False, revoked)):
            listed = client.get("/v1/non-copies", params={"in_force": is_so}).json()["items"]
            assert listed == [wanted]
        is_problem(client.get(f"/v1/non-copies?work={uuid4()}"), 404, "not-found")
        history = client.get("/v1/changes").json()["items"]
        assert [(one["kind"], one["by"]) for one in history] == [
            ("revoke", CARLA.by),
            ("declare", BY),
            ("declare", BY),
        ]
        assert client.post("/v1/attributions", files=file).json()["copy_of"]
