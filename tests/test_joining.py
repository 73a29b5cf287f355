"""Spellings of one fold are one artist, unless a person says otherwise."""

from __future__ import annotations

import json
import os
import pty
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.http.app import create_app
from attribution.answers import Removal
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import Alias, Artist, Change, Claim, NameRule, Outcome
from attribution.catalogue.names import fold, turned
from attribution.catalogue.queries import Origin
from attribution.catalogue.queries.jobs import MORE_NAMES, MOST_REMARKS
from attribution.config import Settings
from attribution.errors import Conflict
from attribution.services import Services, open_services
from attribution.upkeep.correction import confirm_alias, merge, rename
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from ingest.options import Options
from ingest.preview import preview
from ingest.sources import read_source
from ingest.summary import Summary
from tests.apis import local_client, png, settings, upload
from tests.commands import lawful
from tests.databases import at_once, planned
from tests.portfolios import ingest, works

JOB = Origin("ingest job 1")
RULE = NameRule.JOIN


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open an empty collection."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as opened:
        yield opened


def artists(services: Services) -> dict[str, int]:
    """Return the works of every artist, by name."""
    with services.sessions() as session:
        return {artist.name: count for artist, count in queries.all_artists(session)}


def reasons(summary: Summary, outcome: Outcome) -> list[str]:
    """Return why files ended so."""
    return [item.reason or "" for item in summary.items if item.outcome is outcome]


# ---- the catalogue ------------------------------------------------------------------------------


def joined(session: Session, *names: str, rule: NameRule = RULE) -> dict[str, str]:
    """Have names join, then return the artists of all, by slug."""
    queries.join_spellings(session, names, rule, JOB)
    found = queries.get_or_create_artists(session, names)
    return {name: artist.slug for name, artist in found.items()}


def test_a_spelling_of_equal_fold_joins(database: Database) -> None:
    """Case, accents and word order make no second artist; an alias and a change keep it."""
    with database.sessions.begin() as session:
        known = joined(session, "Linda Kim", "Søren Łuk")
    with database.sessions.begin() as session:
        said = queries.join_spellings(session, ["linda kim", "KIM, Linda", "Linda Kim"], RULE, JOB)
        found = joined(session, "linda kim", "KIM, Linda", "soren luk")
        changes = queries.list_changes(session).items

    assert [(name, str(hers)) for name, hers in said] == [
        ("linda kim", "Linda Kim (linda-kim)"),
        ("KIM, Linda", "Linda Kim (linda-kim)"),
    ]
    assert found == {
        "linda kim": "linda-kim",
        "KIM, Linda": "linda-kim",
        "soren luk": known["Søren Łuk"],
    }
    assert {change.origin for change in changes} == {"ingest job 1"}
    assert sorted(change.after["alias"] for change in changes) == [
        "KIM, Linda",
        "linda kim",
        "soren luk",
    ]


def test_new_spellings_of_one_source_are_one_artist(database: Database) -> None:
    """The first one seen gives the name; those who are told apart stay apart."""
    names = ["Jakob", "JAKOB (a@example.org)", "jakob (b@example.org)", "Jakob Ash"]
    with database.sessions.begin() as session:
        found = joined(session, *names)

    assert found["Jakob"] == found["JAKOB (a@example.org)"] == "jakob"
    assert len(set(found.values())) == 3


def test_likeness_joins_nobody(database: Database) -> None:
    """What is merely alike, or tells people of one name apart, is two artists."""
    names = ["Ann Example", "Ann Exampel", "John Smith (1801)", "John Smith (1901)", "John Smith"]
    with database.sessions.begin() as session:
        found = joined(session, *names)

    assert len(set(found.values())) == len(names)


def test_an_alias_is_joined_by_its_fold(database: Database) -> None:
    """A confirmed pseudonym in another spelling is the same artist."""
    with database.sessions.begin() as session:
        artist = queries.get_or_create_artist(session, "Linda Kim")
        queries.add_alias(session, artist.id, "Moon Fox")
        assert joined(session, "moon fox") == {"moon fox": "linda-kim"}


def test_several_registered_of_one_fold_are_named(database: Database) -> None:
    """Who has the exact name gets the works; another spelling is a question."""
    with database.sessions.begin() as session:
        queries.get_or_create_artists(session, ["Linda Kim", "linda kim"])
        assert joined(session, "Linda Kim", "linda kim") == {
            "Linda Kim": "linda-kim",
            "linda kim": "linda-kim-2",
        }
        said = r"LINDA KIM may be .*\(linda-kim.*\) or .*: .*an alias of linda-kim, .*names=new"
        with pytest.raises(Conflict, match=said):
            joined(session, "LINDA KIM")
        assert joined(session, "LINDA KIM", rule=NameRule.NEW) == {"LINDA KIM": "linda-kim-3"}


@pytest.mark.parametrize("rule", [NameRule.ASK, NameRule.NEW])
def test_a_rule_may_forbid_to_join(database: Database, rule: NameRule) -> None:
    """To be asked is to be refused here, and what is new is new."""
    with database.sessions.begin() as session:
        queries.get_or_create_artist(session, "Linda Kim")
        if rule is NameRule.ASK:
            with pytest.raises(
                Conflict, match=r"may be Linda Kim \(linda-kim\): ingest it with names=join"
            ):
                joined(session, "linda kim", rule=rule)
        else:
            assert joined(session, "linda kim", rule=rule) == {"linda kim": "linda-kim-2"}


def test_two_at_the_same_time_found_one_artist(database: Database) -> None:
    """Spellings that several processes bring at once end in one artist, in any order."""
    spellings = ["Linda Kim", "linda kim", "LINDA KIM", "Kim, Linda"]
    others = ["Ann Örn", "Ann Orn", "ann orn", "ORN, Ann"]

    def bring(number: int) -> list[str]:
        names = [spellings[number], others[-number]]
        with database.sessions.begin() as session:
            found = joined(session, *(names if number % 2 else reversed(names)))
        return [found[name] for name in names]

    answers = at_once(bring, range(4))

    assert all(answer == answers[0] for answer in answers)
    with database.sessions() as session:
        assert len(queries.all_artists(session)) == 2
        assert session.scalar(select(func.count()).select_from(Alias)) == 6


def test_a_withdrawal_closes_every_spelling(database: Database) -> None:
    """Nobody comes back by another spelling; who has the exact name is another artist."""
    with database.sessions.begin() as session:
        artist = queries.get_or_create_artist(session, "Linda Kim")
        queries.get_or_create_artists(session, ["KIM LINDA", "Someone"])
        queries.close_artist(session, artist.id, Removal(now(), uuid4()))
    names = ["Linda Kim", "linda kim", "KIM LINDA", "Someone", "nobody else", ""]
    with database.sessions() as session:
        assert queries.closed_artists(session, names) == {"Linda Kim", "linda kim"}


def test_names_that_are_near_are_found(database: Database) -> None:
    """Typing errors at either end and missing names are likely; years and nobodies are not."""
    registered = ["Ann Example", "John Smith", "Linda Mi Kim", "John Smith (1801)", "unknown"]
    noise = [f"Artist {number}" for number in range(300)]
    with database.sessions.begin() as session:
        queries.get_or_create_artists(session, [*registered, *noise, "Linda Kim", "linda kim"])
        names = ["Ann Exampel", "Jon Smith", "Linda Kim", "unknown artist", "Artist 7", "Bob"]
        known = queries.artists_named(session, names)
        owners = {name: known[name].id if name in known else None for name in names}
        found = queries.likely_aliases(session, owners)

    assert {(name, artist.name) for name, artist in found} == {
        ("Ann Exampel", "Ann Example"),
        ("Jon Smith", "John Smith"),
        ("Linda Kim", "Linda Mi Kim"),
        ("Linda Kim", "linda kim"),
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_near_names_are_looked_up_by_index(database: Database) -> None:
    """What is compared is bounded, and no statement reads through all artists."""
    with planned(database) as (session, plans):
        queries.likely_aliases(session, {"Ann Example": None})
        queries.known_spellings(session, ["Ann Example"])

    steps = [step for plan in plans for step in plan]
    assert any("ix_artists_tenant_turned" in step for step in steps)
    assert any("ix_aliases_folded" in step for step in steps)
    assert not {"SCAN artists", "SCAN aliases"} & set(steps)


def test_remarks_on_names_come_once_and_end(database: Database) -> None:
    """A job of very many names says some of them, and where the others are."""
    with database.sessions.begin() as session:
        job = queries.create_job(session, source="p")
        queries.add_remarks(session, job.id, ["on the source"])
        for _ in range(2):
            queries.add_name_remarks(session, job.id, [str(one) for one in range(MOST_REMARKS)])
        queries.add_name_remarks(session, job.id, ["another"])
        remarks = job.remarks

    assert remarks[0] == "on the source"
    assert remarks[-1] == MORE_NAMES
    assert len(remarks) == MOST_REMARKS + 1


def test_a_renamed_artist_is_joined_by_the_new_name(services: Services, tmp_path: Path) -> None:
    """Folds follow names through renames, merges and their undoing."""
    for name, seed in (("Ann", 1), ("Bob", 2)):
        ingest(services, works(tmp_path / "p" / name, seed), artist=name)
    rename(services, "ann", "Zoë Quill", Origin("test"))
    made = merge(services, "bob", "ann", Origin("test"), is_confirmed=True)
    undo(services, made.id, Origin("test"))

    with services.sessions() as session:
        for artist in session.scalars(select(Artist)):
            assert (artist.folded, artist.turned) == (fold(artist.name), turned(artist.name))
        for alias in session.scalars(select(Alias)):
            assert alias.folded == fold(alias.name)
    ingest(services, works(tmp_path / "q", 3), artist="quill, zoe")
    assert artists(services) == {"Zoë Quill": 2, "Bob": 1}


# ---- ingest -------------------------------------------------------------------------------------


def test_nobody_claims_against_herself(services: Services, tmp_path: Path) -> None:
    """The same file under another spelling is the same work; her other works are hers."""
    ingest(services, works(tmp_path / "p" / "Linda Kim", 1, 2).parent)
    works(tmp_path / "q" / "linda kim", 2, 3)
    works(tmp_path / "q" / "KIM, LINDA", 3)

    shown = preview(services, read_source(tmp_path / "q"))
    summary = ingest(services, tmp_path / "q")

    assert (summary.added, summary.known, summary.repeated, summary.conflicts) == (1, 1, 1, 0)
    assert (shown.added, shown.known, shown.repeated, shown.conflicts) == (1, 1, 1, 0)
    assert (shown.artists, summary.artists) == (1, 1)
    assert {item.artist for item in shown.items} == {"Linda Kim"}
    assert set(shown.remarks) == {
        "linda kim would join Linda Kim (linda-kim)",
        "KIM, LINDA would join Linda Kim (linda-kim)",
    }
    assert set(summary.remarks) == {
        "linda kim joined Linda Kim (linda-kim)",
        "KIM, LINDA joined Linda Kim (linda-kim)",
    }
    assert artists(services) == {"Linda Kim": 3}
    with services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Claim)) == 0


def test_a_dry_run_knows_new_artists_of_its_source(services: Services, tmp_path: Path) -> None:
    """Two new spellings are one artist, across the batches of the encoders as well."""
    works(tmp_path / "p" / "Linda Kim", *range(40))
    works(tmp_path / "p" / "linda kim", 39, 40)

    shown = preview(services, read_source(tmp_path / "p"))

    assert shown.artists == 1
    assert shown.repeated == 1
    assert len([one for one in shown.remarks if "would join" in one]) == 1
    assert artists(services) == {}


def test_a_dry_run_compares_new_names_with_each_other(services: Services, tmp_path: Path) -> None:
    """Two names that come for the first time may be one artist's, and are said as such."""
    for seed, name in enumerate(("Ann Exampel", "Ann Example", "Bob")):
        works(tmp_path / "p" / name, seed)

    shown = preview(services, read_source(tmp_path / "p"))

    assert list(shown.remarks) == ["Ann Example resembles Ann Exampel"]


@pytest.mark.parametrize("rule", [NameRule.JOIN, NameRule.NEW])
def test_a_dry_run_says_of_names_what_the_job_says(
    services: Services, tmp_path: Path, rule: NameRule
) -> None:
    """Who joins and who resembles whom: known and new names, spellings, aliases."""
    for seed, name in enumerate(("Ann Example", "Ann Exampel", "Linda Kim")):
        works(tmp_path / "p" / name, seed)
    ingest(services, tmp_path / "p")
    confirm_alias(services, "linda-kim", "Moon Fox", Origin("test"))
    brought = ("Ann Example", "ann example", "Ann Exampl", "moon fox", "Moon Foxx", "MOON FOXX")
    for seed, name in enumerate(brought):
        works(tmp_path / "q" / name, 10 + seed)

    shown = preview(services, read_source(tmp_path / "q"), Options(names=rule))
    summary = ingest(services, tmp_path / "q", names=rule)

    assert names_said(shown) == names_said(summary)
    assert {"Ann Exampl", "Ann Example"} in names_said(shown)
    assert (rule is NameRule.JOIN) == ({"MOON FOXX", "Linda Kim"} in names_said(shown))


def names_said(summary: Summary) -> set[frozenset[str]]:
    """Return the pairs of names that are said to join or to resemble each other, without slugs."""
    said = (one.split("; if they are one")[0] for one in summary.remarks)
    bare = (re.sub(r" \([a-z0-9-]+\)", "", one) for one in said)
    return {frozenset(re.split(" would join | joined | resembles ", one)) for one in bare}


def test_nobody_would_join_a_spelling_that_is_refused(services: Services, tmp_path: Path) -> None:
    """A name under which nothing comes in names no artist."""
    (works(tmp_path / "p" / "Linda Kim") / "bad.png").write_text("no image")
    works(tmp_path / "p" / "linda kim", 1)

    shown = preview(services, read_source(tmp_path / "p"))
    summary = ingest(services, tmp_path / "p")

    assert (list(shown.remarks), list(summary.remarks)) == ([], [])
    assert artists(services) == {"linda kim": 1}


def test_a_join_is_undone_for_good(services: Services, tmp_path: Path) -> None:
    """A spelling that a person took back joins that artist no more; works that came stay."""
    ingest(services, works(tmp_path / "p" / "Linda Kim", 1).parent)
    ingest(services, works(tmp_path / "q" / "linda kim", 2).parent)
    with services.sessions() as session:
        (change,) = queries.list_changes(session).items
    assert change.origin.startswith("ingest job ")
    undo(services, change.id, Origin("test"))

    summary = ingest(services, works(tmp_path / "r" / "linda kim", 3).parent)

    assert summary.added == 1
    assert artists(services) == {"Linda Kim": 2, "linda kim": 1}


@pytest.mark.parametrize("rule", [None, NameRule.NEW, NameRule.ASK])
def test_no_spelling_is_a_way_around_a_withdrawal(
    services: Services, tmp_path: Path, rule: NameRule | None
) -> None:
    """Who has withdrawn stays away under every spelling, until she is reinstated."""
    ingest(services, works(tmp_path / "p" / "Linda Kim", 1).parent)
    withdraw(services, "linda-kim", reason="asked")
    source = works(tmp_path / "q" / "linda kim", 2).parent

    summary = ingest(services, source, names=rule)

    assert "its artist has withdrawn" in reasons(summary, Outcome.REFUSED)[0]
    assert artists(services) == {"Linda Kim": 0}
    assert ingest(services, source, reinstate=True).added == 1
    assert artists(services) == {"Linda Kim": 1}


def test_new_means_new(services: Services, tmp_path: Path) -> None:
    """A job may make artists of spellings; the likeness is said with the command that merges."""
    ingest(services, works(tmp_path / "p" / "Linda Kim", 1).parent)

    summary = ingest(services, works(tmp_path / "q" / "linda kim", 2).parent, names=NameRule.NEW)

    assert artists(services) == {"Linda Kim": 1, "linda kim": 1}
    (remark,) = summary.remarks
    assert remark == (
        "linda kim (linda-kim-2) resembles Linda Kim (linda-kim); if they are one artist, "
        "merge linda-kim-2 into linda-kim"
    )


def test_unasked_spellings_wait_and_others_go_on(services: Services, tmp_path: Path) -> None:
    """Where nobody is there to ask, what may be somebody's is refused, and says how to answer."""
    ingest(services, works(tmp_path / "p" / "Linda Kim", 1).parent)
    works(tmp_path / "q" / "linda kim", 2)
    works(tmp_path / "q" / "Bob", 3)
    shown = preview(services, read_source(tmp_path / "q"), Options(names=NameRule.ASK))
    summary = ingest(services, tmp_path / "q", names=NameRule.ASK)

    for one in (shown, summary):
        assert (one.added, one.refused) == (1, 1)
        assert reasons(one, Outcome.REFUSED) == [
            "linda kim may be Linda Kim (linda-kim): ingest it with names=join or names=new"
        ]
    assert artists(services) == {"Linda Kim": 1, "Bob": 1}


def test_a_spelling_that_was_registered_just_now_waits(tmp_path: Path) -> None:
    """Files are prepared ahead of what is written: what came in between is a question as well."""
    works(tmp_path / "p" / "Linda Kim", 1, 2)
    works(tmp_path / "p" / "linda kim", 3, 4)
    settings = Settings(home=tmp_path / "home", profile="stub", batch_size=2)
    with open_services(settings) as services:
        summary = ingest(services, tmp_path / "p", names=NameRule.ASK)

    assert (summary.added, summary.refused) == (2, 2)
    assert set(reasons(summary, Outcome.REFUSED)) == {
        "linda kim may be Linda Kim (linda-kim): ingest it with names=join or names=new"
    }


@pytest.mark.parametrize("rule", [NameRule.ASK, NameRule.JOIN])
def test_a_no_is_heard_under_every_spelling(
    services: Services, tmp_path: Path, rule: NameRule
) -> None:
    """What a spelling forbids that may be the artist's is followed before anybody has answered."""
    ingest(services, works(tmp_path / "p" / "Linda Kim", 1, 2).parent)
    source = works(tmp_path / "q" / "linda kim", 1, 2)
    rows = [
        {"file_name": "work-1.png", "consent_display": "no"},
        {"file_name": "work-2.png", "consent_index": "no"},
    ]
    (source / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))

    ingest(services, source.parent, names=rule)

    assert artists(services)["Linda Kim"] == 1
    with services.sessions() as session:
        (work,) = [one for one in queries.list_artworks(session).items if one.status == "indexed"]
    assert not work.consent_display


def test_registered_twice_is_a_question(services: Services, tmp_path: Path) -> None:
    """Two artists of an earlier version keep their own works; a third spelling is refused."""
    for name, seed in (("Linda Kim", 1), ("linda kim", 2)):
        ingest(services, works(tmp_path / name, seed), artist=name, names=NameRule.NEW)
    works(tmp_path / "p" / "Linda Kim", 3)
    works(tmp_path / "p" / "linda kim", 4)
    works(tmp_path / "p" / "LINDA KIM", 5)

    summary = ingest(services, tmp_path / "p")

    assert (summary.added, summary.refused) == (2, 1)
    assert (
        "may be Linda Kim (linda-kim) or linda kim (linda-kim-2)"
        in (reasons(summary, Outcome.REFUSED)[0])
    )
    confirm_alias(services, "linda-kim", "LINDA KIM", Origin("test"))
    assert ingest(services, tmp_path / "p").added == 1
    assert artists(services) == {"Linda Kim": 3, "linda kim": 2}


def test_a_near_name_is_said_after_every_ingest(services: Services, tmp_path: Path) -> None:
    """Likely aliases come with what merges them; a second run says them again."""
    ingest(services, works(tmp_path / "p" / "Ann Example", 1).parent)
    source = works(tmp_path / "q" / "Ann Exampel", 2).parent
    said = (
        "Ann Exampel (ann-exampel) resembles Ann Example (ann-example); if they are one artist, "
        "merge ann-exampel into ann-example"
    )

    shown = preview(services, read_source(source))

    assert list(shown.remarks) == ["Ann Exampel resembles Ann Example (ann-example)"]
    for _ in range(2):
        assert list(ingest(services, source).remarks) == [said]


def test_a_rule_is_one_of_three(database: Database) -> None:
    """The database refuses a rule that the program does not know."""
    with database.sessions() as session:
        job = queries.create_job(session, source="p", names=NameRule.ASK)
        wrong = text("UPDATE ingest_jobs SET names = 'perhaps' WHERE source = :source")
        with pytest.raises(IntegrityError):
            session.execute(wrong, {"source": job.source})


# ---- the doors ----------------------------------------------------------------------------------


def test_the_command_line_says_who_joined(tmp_path: Path) -> None:
    """Terminal and script get the remark; a setting and an option choose the rule."""
    home = tmp_path / "home"
    works(tmp_path / "p" / "Linda Kim", 1)
    works(tmp_path / "q" / "linda kim", 2)
    lawful(home, "ingest", str(tmp_path / "p"))

    asked = lawful(home, "ingest", str(tmp_path / "q"), names="ask")
    dry = lawful(home, "ingest", str(tmp_path / "q"), "--dry-run", "--json")
    done = lawful(home, "ingest", str(tmp_path / "q"), "--names", "join", names="ask")
    wrong = lawful(home, "ingest", str(tmp_path / "q"), names="perhaps")

    assert asked.returncode == 3
    assert "ingest it with names=join or names=new" in asked.stdout
    assert json.loads(dry.stdout)["remarks"] == ["linda kim would join Linda Kim (linda-kim)"]
    assert done.returncode == 0
    assert "linda kim joined Linda Kim (linda-kim)" in done.stdout
    assert "LAWFUL_NAMES='perhaps'" in wrong.stderr


def test_a_person_at_a_terminal_is_asked_once(tmp_path: Path) -> None:
    """A yes is a confirmed alias, a no an artist of its own; nothing else is asked."""
    home = tmp_path / "home"
    works(tmp_path / "p" / "Linda Kim", 1)
    lawful(home, "ingest", str(tmp_path / "p"))
    for number, name in enumerate(("LINDA KIM", "linda kim", "Ann Örn", "ann orn", "Bob")):
        works(tmp_path / "q" / name, 10 + 2 * number, 11 + 2 * number)

    done, shown = at_terminal(home, "n\ny\ny\n", "ingest", str(tmp_path / "q"), "--names", "ask")

    assert done == 0, shown
    assert shown.count("[y/n]") == 3
    assert "LINDA KIM: is this Linda Kim (linda-kim, 1 works)? [y/n]" in shown
    assert "ann orn: is this Ann Örn (also new in this source)? [y/n]" in shown
    with open_services(Settings(home=home, profile="stub")) as services:
        assert artists(services) == {"Ann Örn": 4, "Bob": 2, "Linda Kim": 3, "LINDA KIM": 2}
        with services.sessions() as session:
            changes = session.scalars(select(Change)).all()
    assert {change.after["alias"] for change in changes} == {"ann orn", "linda kim"}
    assert all(change.origin.startswith("command line") for change in changes)


def at_terminal(home: Path, answers: str, *words: str) -> tuple[int, str]:
    """Run a command whose input is a terminal; returns its exit code and what it printed."""
    ours, theirs = pty.openpty()
    os.write(ours, answers.encode())
    done = lawful(home, *words, stdin=os.ttyname(theirs))
    os.close(ours)
    os.close(theirs)
    return done.returncode, done.stdout + done.stderr


def test_an_upload_may_say_the_rule(tmp_path: Path) -> None:
    """The form has a field, the job has the remark, and a rule that is none is refused."""
    app = create_app(settings(tmp_path / "home"))
    with local_client(app) as client:
        upload(client, png(1), "a.png", artist="Linda Kim")
        asked = upload(client, png(2), "b.png", artist="linda kim", names="ask")
        done = upload(client, png(2), "b.png", artist="linda kim")
        wrong = client.post(
            "/v1/ingest-jobs",
            files={"file": ("c.png", png(3))},
            data={"artist": "x", "names": "perhaps"},
        )

    assert asked["outcomes"]["refused"] == 1
    assert done["outcomes"]["added"] == 1
    assert done["remarks"] == ["linda kim joined Linda Kim (linda-kim)"]
    assert wrong.status_code == 422
