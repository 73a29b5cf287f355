"""Cases: from an answer to a decision, by two people, and again in an appeal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest
import rfc8785
from sqlalchemy import select, update

from api.reports.evidence import contents_of_case
from attribution import cases, tenants
from attribution.actors import Actor, acting
from attribution.answers import Attribution, Verdict
from attribution.cases import Assessed, CaseKind, CaseOutcome, CaseStatus, Ground, Lane, PartyRole
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import (
    AuditEntry,
    Case,
    Decision,
    PartyContact,
    RecordedAttribution,
    Webhook,
)
from attribution.catalogue.queries import Origin, artist_by_slug, desk, list_deliveries
from attribution.catalogue.queries.timelines import list_timeline
from attribution.catalogue.verification import verify
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.desk import judging, opening, queue, verification
from attribution.desk.archive import MANIFEST, RECORDS, SIGNATURE, SIGNS, Archive
from attribution.desk.contacts import forget_contact, keep_contact, see_contacts
from attribution.desk.documents import add_document, see_document
from attribution.desk.exhibits import receipts_of
from attribution.desk.judging import NewDecision
from attribution.desk.opening import NewCase, NewParty
from attribution.desk.packing import write_pack
from attribution.errors import BadInput, Conflict, NotAllowed, NotFound
from attribution.events import After, Event
from attribution.images import read_image, read_image_file
from attribution.provenance.own_key import statement_signer
from attribution.provenance.statements import sign_statement
from attribution.services import Services, open_services
from attribution.upkeep import webhooks
from attribution.upkeep.correction import merge
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.reindex import change_profile
from attribution.upkeep.undoing import undo
from attribution.upkeep.webhooks import NewWebhook
from attribution.upkeep.withdrawal import withdraw
from tests.apis import png
from tests.databases import at_once

ANYONE = Actor("anyone on this machine")
ANN, BOB, EVE = (Actor(f"key lk_{name} (desk)") for name in ("ann", "bob", "eve"))
WHY = "the same strokes"
PAPER = b"%PDF-1.7 a letter of the shop"
CONFIRMED = NewDecision(CaseOutcome.MATCH_CONFIRMED, Ground.SAME_PICTURE, "it shows the work")
REJECTED = NewDecision(CaseOutcome.MATCH_REJECTED, Ground.OTHER_PICTURE, "two drawings")


@pytest.fixture
def stores(database: Database, database_url: str, tmp_path: Path) -> Iterator[Stores]:
    """Open what is known, on each database."""
    del database  # it has made the tables
    with open_stores(Settings(home=tmp_path / "home", database_url=database_url)) as opened:
        yield opened


@pytest.fixture
def answer(services: Services, tmp_path: Path) -> Attribution:
    """Return the answer about the file of a registered work: a copy."""
    work = next((tmp_path / "p" / "artist-0").glob("*.png"))
    return services.attributor.attribute(read_image_file(work))


@pytest.fixture
def case(services: Services, answer: Attribution) -> Case:
    """Return a case about that answer, opened by Ann."""
    with acting(ANN):
        return opened(services, answer.id)


def opened(services: Services, *answers: UUID) -> Case:
    """Open a case about answers."""
    parties = [NewParty(PartyRole.ARTIST, artist="artist-0")]
    new = NewCase(CaseKind.MATCH, "a print", attributions=answers, parties=parties)
    return opening.open_case(services, new).case


def again(services: Stores, case: Case) -> Case:
    """Return a case as it is now."""
    with services.sessions() as session:
        return desk.case_by_id(session, case.id)


def findings(services: Stores, case: Case) -> dict[Lane, UUID]:
    """Return the findings of a case of one image, by lane."""
    with services.sessions() as session:
        page = desk.list_case_findings(session, case.id)
    return {one.lane: one.id for one in page.items}


def assess(services: Stores, case: Case, verdict: Assessed = Assessed.CONFIRMED) -> None:
    """Assess all findings of a case."""
    judging.assess(services, case.id, list(findings(services, case).values()), verdict, WHY)


def decisions(services: Stores, case: Case) -> list[Decision]:
    """Return the decisions of a case."""
    with services.sessions() as session:
        return list(desk.decisions_of(session, case.id))


def cases_of(services: Stores, slug: str) -> list[int]:
    """Return the numbers of the cases in which an artist is a party."""
    with services.sessions() as session:
        wanted = desk.CasesWanted(artist_id=artist_by_slug(session, slug).id)
        return [one.number for one in desk.list_cases(session, wanted).items]


def other_answer(services: Services, seed: int) -> UUID:
    """Return an answer about another picture."""
    return services.attributor.attribute(read_image(png(seed), services.limits)).id


# ---- opening -------------------------------------------------------------------------------------


def test_an_image_is_in_one_open_case_of_a_kind(
    services: Services, case: Case, answer: Attribution
) -> None:
    """Opening again gives the case back, without using up a number."""
    new = NewCase(CaseKind.MATCH, "once more", attributions=[answer.id])

    found = opening.open_case(services, new)
    other = opening.open_case(services, NewCase(CaseKind.GENERATED, "drawn", [answer.id]))

    assert (found.is_new, found.case.id) == (False, case.id)
    assert (other.is_new, other.case.number) == (True, case.number + 1)


def test_an_image_of_a_closed_case_gets_a_new_one_that_follows_it(
    services: Services, case: Case, answer: Attribution
) -> None:
    """Nothing that was decided is taken over; the audit vouches for which one it follows."""
    assess(services, case, Assessed.REJECTED)
    judging.decide(services, case.id, REJECTED)
    judging.close(services, case.id)

    new = opened(services, answer.id)
    other = opening.open_case(services, NewCase(CaseKind.GENERATED, "drawn", [answer.id])).case

    assert (new.follows, other.follows) == (case.id, None)
    assert (new.status, new.subjects) == (CaseStatus.OPEN, 1)
    assert again(services, case).status is CaseStatus.CLOSED
    with services.sessions() as session:
        (finding,) = desk.list_case_findings(session, new.id).items
    assert finding.assessed is None
    with services.sessions.begin() as session:
        session.execute(update(Case).where(Case.id == new.id).values(follows=None))
    assert verify(services.sessions, lambda *_: None).faults == 1


def test_numbers_have_no_gaps_where_many_open_at_once(stores: Stores) -> None:
    """Also where some of them fail, on both databases."""
    titles = ["a", "", "b", "", "c"]

    def open_one(title: str) -> None:
        try:
            opening.open_case(stores, NewCase(CaseKind.WITHDRAWAL, title))
        except BadInput:
            assert not title

    at_once(open_one, titles)

    with stores.sessions() as session:
        numbers = [one.number for one in desk.list_cases(session, desk.CasesWanted()).items]
    assert numbers == [3, 2, 1]


def test_a_finding_has_what_the_machine_said_without_the_title(
    services: Services, case: Case, answer: Attribution
) -> None:
    """So a withdrawal leaves the case as it is, and the case says under which receipt it went."""
    assert answer.copy_of
    assert answer.copy_of.title
    receipt = withdraw(services, "artist-0", reason="asked for")

    with services.sessions() as session:
        (finding,) = desk.list_case_findings(session, case.id).items
        subjects = desk.list_case_subjects(session, case.id).items
        receipts = receipts_of(session, subjects)

    assert finding.statement.startswith("Shows the same image as ")
    assert answer.copy_of.title not in finding.statement
    assert finding.about["work"] == str(answer.copy_of.id)
    assert receipts == {subjects[0].id: [receipt.id]}


def test_a_work_that_nobody_else_claims_is_no_conflict(
    services: Services, answer: Attribution
) -> None:
    """The error says so."""
    assert answer.copy_of
    new = NewCase(CaseKind.CLAIM, "whose?", artwork=answer.copy_of.id)

    with pytest.raises(Conflict, match="no other artist claims work"):
        opening.open_case(services, new)


def test_a_case_of_many_images_has_its_findings_in_pages(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are added in slices, up to a bound."""
    monkeypatch.setattr(opening, "AT_ONCE", 2)
    ids = [other_answer(services, seed) for seed in range(50, 55)]

    case = opened(services, *ids)

    assert case.subjects == 5
    with services.sessions() as session:
        first = desk.list_case_subjects(session, case.id, limit=3)
        rest = desk.list_case_subjects(session, case.id, limit=3, cursor=first.next)
    assert [one.attribution_id for one in (*first.items, *rest.items)] == ids
    monkeypatch.setattr(opening, "MOST", 5)
    with pytest.raises(Conflict, match="open another case"):
        opening.add_answers(services, case.id, [other_answer(services, 60)])


# ---- deciding ------------------------------------------------------------------------------------


def test_a_grave_decision_needs_two_people(services: Services, case: Case) -> None:
    """Who made it does not sign it; it never changes but for the signature."""
    with acting(ANN):
        assess(services, case)
        judging.decide(services, case.id, CONFIRMED)
        with pytest.raises(NotAllowed, match="another person has to second it"):
            judging.second(services, case.id)
    waiting = again(services, case).status
    with acting(BOB):
        judging.second(services, case.id)

    (made,) = decisions(services, case)
    assert waiting is CaseStatus.SECOND
    assert again(services, case).status is CaseStatus.DECIDED
    assert (made.by, made.seconded_by) == (ANN.name, BOB.name)
    assert verify(services.sessions, lambda *_: None).told == []


def test_a_decision_waits_for_the_assessments_of_its_lane(services: Services, case: Case) -> None:
    """And rests on a confirmed finding where it names an artist's work as copied."""
    with pytest.raises(Conflict, match="findings 1 of the lane 'copy' of case 1 are not assessed"):
        judging.decide(services, case.id, REJECTED)
    assess(services, case, Assessed.REJECTED)
    with pytest.raises(Conflict, match="no finding of the lane 'copy' of case 1 is confirmed"):
        judging.decide(services, case.id, CONFIRMED)

    judging.decide(services, case.id, REJECTED)

    assert again(services, case).status is CaseStatus.DECIDED


def test_of_two_people_who_decide_at_once_one_does(stores: Stores) -> None:
    """The other one is told that the case is decided, on both databases."""
    case = opening.open_case(stores, NewCase(CaseKind.WITHDRAWAL, "asked for")).case
    nothing = NewDecision(CaseOutcome.NO_FINDING, Ground.NO_EVIDENCE, "nothing was found")

    def decide(actor: Actor) -> bool:
        with acting(actor):
            try:
                judging.decide(stores, case.id, nothing)
            except Conflict as error:
                assert "case 1 has the status “decided”" in str(error)  # noqa: PT017
                return False
            return True

    assert sorted(at_once(decide, [ANN, BOB])) == [False, True]
    assert len(decisions(stores, case)) == 1


def test_receipts_are_read_without_the_answers(stores: Stores) -> None:
    """On both databases, of old answers without any too."""
    receipt, told, old = uuid4(), uuid4(), uuid4()
    removed = [{"at": now().isoformat(), "receipt": str(receipt)}]
    with stores.sessions.begin() as session:
        for one, answer in ((told, {"artists": [], "removed": removed}), (old, {"artists": []})):
            row = RecordedAttribution(id=one, image_sha256="0" * 64, answer=answer)
            row.verdict, row.fingerprint = Verdict.ABSTAIN, "none"
            session.add(row)

    with stores.sessions() as session:
        assert desk.receipts_of_answers(session, [told, old]) == {told: [receipt], old: []}


@pytest.mark.parametrize(
    "actor",
    [Actor("key lk_own (a)", artists=frozenset({"artist-0"})), Actor("key lk_party (as now)")],
    ids=["for the artist", "a party"],
)
def test_nobody_judges_a_case_of_their_own(services: Services, case: Case, actor: Actor) -> None:
    """Neither finding nor decision, whatever they call themselves now."""
    opening.add_party(
        services,
        case.id,
        NewParty(PartyRole.RESPONDENT, name="A shop", account="key lk_party (as then)"),
    )
    assess(services, case)
    with acting(actor):
        with pytest.raises(NotAllowed, match="somebody else has to judge it"):
            assess(services, case)
        with pytest.raises(NotAllowed, match="somebody else has to judge it"):
            judging.decide(services, case.id, CONFIRMED)


def test_who_acts_for_an_artist_whom_a_finding_names_judges_nothing(
    services: Services, answer: Attribution
) -> None:
    """Also where nobody has named the artist as a party, and after a merge."""
    new = NewCase(CaseKind.MATCH, "a print", attributions=[answer.id])
    case = opening.open_case(services, new).case
    own, other = (Actor("key lk_own (a)", artists=frozenset({f"artist-{n}"})) for n in (0, 1))
    with acting(own), pytest.raises(NotAllowed, match="whom findings of case 1 name"):
        assess(services, case)
    with acting(other):
        assess(services, case)

    merge(services, "artist-0", "artist-1", Origin("test", "one"), is_confirmed=True)

    with acting(other), pytest.raises(NotAllowed, match="whom findings of case 1 name"):
        assess(services, case)


def test_a_party_neither_sees_contacts_nor_ends_or_moves_a_case(
    services: Services, case: Case
) -> None:
    """Who is accused does not read where the others are, nor choose who judges."""
    shop = NewParty(PartyRole.RESPONDENT, name="A shop", account=" key lk_party (as then)")
    opening.add_party(services, case.id, shop)
    with services.sessions() as session:
        party = desk.parties_of(session, case.id)[0].id
    keep_contact(services, case.id, party, "a@example.org")
    with acting(Actor("key lk_party (as now)")):
        for act in (
            lambda: see_contacts(services, case.id),
            lambda: keep_contact(services, case.id, party, "nowhere"),
            lambda: forget_contact(services, case.id, party),
            lambda: queue.move(services, case.id, BOB.name, "a friend"),
        ):
            with pytest.raises(NotAllowed, match="is a party of case 1"):
                act()
    assess(services, case, Assessed.REJECTED)
    judging.decide(services, case.id, REJECTED)
    with acting(Actor("key lk_party (as now)")), pytest.raises(NotAllowed):
        judging.close(services, case.id)


@pytest.mark.parametrize("name", ["Bob", "lk_1a2b3c4d", "key", " "])
def test_who_is_named_as_no_record_does_is_refused(
    services: Services, case: Case, name: str
) -> None:
    """They would judge in a case of their own, and a case moved to them would reach nobody."""
    with pytest.raises(BadInput, match="give it as the audit does"):
        opening.add_party(services, case.id, NewParty(PartyRole.OTHER, name="Bob", account=name))
    with pytest.raises(BadInput, match="give it as the audit does"):
        queue.move(services, case.id, name, "hers")


def test_a_later_decision_supersedes(services: Services, case: Case) -> None:
    """The case is reopened for it, and the earlier one stays as it was."""
    assess(services, case)
    with acting(ANN):
        judging.decide(services, case.id, CONFIRMED)
    with acting(BOB):
        judging.reopen(services, case.id, "a better scan has come")
        assess(services, case, Assessed.REJECTED)
        judging.decide(services, case.id, REJECTED)

    first, last = decisions(services, case)
    assert (first.outcome, first.seconded_by) == (CaseOutcome.MATCH_CONFIRMED, None)
    assert last.supersedes == first.id


@pytest.mark.parametrize("act", list(cases.Act))
def test_an_act_that_the_status_does_not_allow_names_both(act: cases.Act) -> None:
    """As the one table of states says."""
    for status in CaseStatus:
        if status in cases.STATES[act]:
            continue
        with pytest.raises(Conflict, match=f"“{status.value}”: to {act.value} a case"):
            cases.after(act, status, 7)


def test_an_altered_decision_is_found(services: Services, case: Case) -> None:
    """By verifying the audit, as with answers."""
    assess(services, case, Assessed.REJECTED)
    judging.decide(services, case.id, REJECTED)
    with services.sessions.begin() as session:
        session.execute(update(Decision).values(words="other words"))

    assert verify(services.sessions, lambda *_: None).faults == 1


# ---- who is told ---------------------------------------------------------------------------------


@pytest.fixture
def hooks(services: Services) -> dict[After, Webhook]:
    """Have one webhook told of copies at once, another one when people have decided."""
    told = (NewWebhook("https://rights.example.org/", [Event.COPY_FOUND], (), x) for x in After)
    return {one.after: webhooks.create(services, one) for one in told}


def deliveries(services: Services, hook: Webhook) -> list[dict[str, Any]]:
    """Return what a webhook is told."""
    with services.sessions() as session:
        return [one.data for one in list_deliveries(session, webhook_id=hook.id).items]


def test_a_copy_is_told_when_the_decision_holds(
    hooks: dict[After, Webhook], services: Services, case: Case, answer: Attribution
) -> None:
    """Not when it is found, assessed or decided by one person; and once in a case."""
    at_first = {one: len(deliveries(services, hook)) for one, hook in hooks.items()}
    with acting(ANN):
        assess(services, case)
        judging.decide(services, case.id, CONFIRMED)
    before = deliveries(services, hooks[After.REVIEW])
    with acting(BOB):
        judging.second(services, case.id)
    told = deliveries(services, hooks[After.REVIEW])
    with acting(BOB):
        judging.reopen(services, case.id, "a better scan has come")
        judging.decide(services, case.id, CONFIRMED)
    with acting(ANN):
        judging.second(services, case.id)

    assert answer.copy_of
    assert (at_first, before) == ({After.FOUND: 1, After.REVIEW: 0}, [])
    assert told == [
        {
            "attribution": str(answer.id),
            "artwork": str(answer.copy_of.id),
            "kind": "same_image",
            "case": str(case.id),
            "outcome": "match_confirmed",
        }
    ]
    assert deliveries(services, hooks[After.REVIEW]) == told
    assert len(deliveries(services, hooks[After.FOUND])) == 1


def test_a_licensed_copy_is_told_as_one(
    hooks: dict[After, Webhook], services: Services, case: Case
) -> None:
    """One person is enough for that; a webhook for another artist is told nothing."""
    other = NewWebhook("https://x.example.org/", [Event.COPY_FOUND], ["artist-1"])
    of_other = webhooks.create(services, other)
    assess(services, case)
    licensed = NewDecision(CaseOutcome.MATCH_LICENSED, Ground.LICENSED, "a licence was shown")

    judging.decide(services, case.id, licensed)

    assert [one["outcome"] for one in deliveries(services, hooks[After.REVIEW])] == [
        "match_licensed"
    ]
    assert deliveries(services, of_other) == []


@pytest.mark.parametrize("is_withdrawn", [False, True], ids=["rejected", "withdrawn"])
def test_what_is_rejected_or_withdrawn_is_not_told(
    hooks: dict[After, Webhook], services: Services, case: Case, *, is_withdrawn: bool
) -> None:
    """Though people confirmed the finding, or the decision."""
    with acting(ANN):
        assess(services, case)
        judging.decide(services, case.id, CONFIRMED if is_withdrawn else REJECTED)
    if is_withdrawn:
        withdraw(services, "artist-0", reason="asked for")
        with acting(BOB):
            judging.second(services, case.id)

    assert deliveries(services, hooks[After.REVIEW]) == []


# ---- appeals -------------------------------------------------------------------------------------


def test_an_appeal_has_another_reviewer(services: Services, case: Case) -> None:
    """Its decision supersedes the one appealed against; a second appeal is the first."""
    with acting(ANN):
        assess(services, case)
        judging.decide(services, case.id, CONFIRMED)
    with acting(BOB):
        judging.second(services, case.id)
        judging.close(services, case.id)
        filed = opening.appeal(services, case.id, "there is a licence")
        same = opening.appeal(services, case.id, "there is a licence")
        with pytest.raises(NotAllowed, match="another reviewer has to judge it"):
            assess(services, filed.case)
        assert queue.take_next(services) is None
    granted = NewDecision(CaseOutcome.APPEAL_DENIED, Ground.NO_EVIDENCE, "no licence was shown")
    with acting(EVE):
        with pytest.raises(NotAllowed, match="another reviewer has to judge it"):
            queue.move(services, filed.case.id, ANN.name, "hers")
        taken = queue.take_next(services)
        assess(services, filed.case)
        judging.decide(services, filed.case.id, granted)

    beyond = opening.appeal(services, filed.case.id, "a licence was found").case
    for one in (ANN, BOB, EVE):
        with acting(one), pytest.raises(NotAllowed, match="another reviewer has to judge it"):
            assess(services, beyond)
    (first,), (last,) = decisions(services, case), decisions(services, filed.case)
    assert (filed.is_new, same.is_new, same.case.id) == (True, False, filed.case.id)
    assert taken is not None
    assert taken.id == filed.case.id
    assert last.supersedes == first.id


def test_what_two_people_decided_one_does_not_lift(services: Services, case: Case) -> None:
    """A decision in its place waits for a second person too, whatever it says."""
    with acting(ANN):
        assess(services, case)
        judging.decide(services, case.id, CONFIRMED)
    with acting(BOB):
        judging.second(services, case.id)
        judging.reopen(services, case.id, "a better scan has come")
        judging.decide(services, case.id, REJECTED)

    assert again(services, case).status is CaseStatus.SECOND
    assert decisions(services, case)[-1].needs_second
    with acting(EVE):
        judging.second(services, case.id)
    assert again(services, case).status is CaseStatus.DECIDED


def test_two_people_are_two_accounts(services: Services, case: Case) -> None:
    """Who acts without one may be the first person or the second; alone they decide the rest."""
    assess(services, case)
    with acting(ANYONE), pytest.raises(NotAllowed, match="may be anybody: log in with a key"):
        judging.decide(services, case.id, CONFIRMED)
    with acting(ANN):
        judging.decide(services, case.id, CONFIRMED)
    with acting(ANYONE), pytest.raises(NotAllowed, match="may be anybody"):
        judging.second(services, case.id)
    assert again(services, case).status is CaseStatus.SECOND

    other = opened(services, other_answer(services, 990))
    nothing = NewDecision(CaseOutcome.NO_FINDING, Ground.NO_EVIDENCE, "nothing is there")
    assess(services, other, Assessed.REJECTED)
    with acting(ANYONE):
        judging.decide(services, other.id, nothing)
    assert again(services, other).status is CaseStatus.DECIDED


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (CaseOutcome.APPEAL_GRANTED, "Decision 1 does not stand: an appeal against it was granted"),
        (CaseOutcome.APPEAL_DENIED, "An appeal against decision 1 was denied"),
    ],
)
def test_a_case_tells_of_appeals_against_it(
    services: Services, case: Case, tmp_path: Path, outcome: CaseOutcome, said: str
) -> None:
    """Its pack, report and verification, from the day of the appeal; its timeline, who decided."""

    def told() -> tuple[object, str, str]:
        path = tmp_path / "told.zip"
        path.unlink(missing_ok=True)
        write_pack(services, contents_of_case(services, case.id), path)
        files, found = files_of(path), verification.verify(path)
        assert found.is_intact, found.findings
        (appeal,) = json.loads(files["case.json"])["appealed"]
        verified = next(one.said for one in found.findings if "was appealed against" in one.said)
        return appeal["outcome"], files["report.html"].decode(), verified

    with acting(ANN):
        assess(services, case, Assessed.REJECTED)
        judging.decide(services, case.id, REJECTED)
    filed = opening.appeal(services, case.id, "two drawings of one boat").case
    decided, report, verified = told()
    assert (decided, "is not decided yet: case 2" in report) == (None, True)
    assert "in case 2: not decided; that is the word of whoever signed" in verified
    with acting(BOB):
        assess(services, filed, Assessed.REJECTED)
        judging.decide(services, filed.id, NewDecision(outcome, Ground.OTHER, "seen again"))
    if outcome is CaseOutcome.APPEAL_GRANTED:
        assert told()[0] is None  # until a second person has signed it
        with acting(EVE):
            judging.second(services, filed.id)

    decided, report, verified = told()
    assert (decided, said in report) == (outcome.value, True)
    assert f"in case 2: {outcome.value}" in verified
    with services.sessions() as session:
        actions = [one.action for one in list_timeline(session, case.id).items]
    assert actions.count("decide-appeal") == 1


def test_outcomes_of_appeals_are_for_appeals(services: Services, case: Case) -> None:
    """The error lists those of the kind."""
    denied = NewDecision(CaseOutcome.APPEAL_DENIED, Ground.OTHER, "no")

    with pytest.raises(BadInput, match="use one of match_confirmed, match_licensed"):
        judging.decide(services, case.id, denied)


# ---- the queue -----------------------------------------------------------------------------------


def test_a_case_is_given_to_one_person(stores: Stores) -> None:
    """Also where several ask at once, on both databases; the most urgent one first."""
    for number in (1, 2, 3):
        opening.open_case(stores, NewCase(CaseKind.WITHDRAWAL, "t", priority=5 - number))

    def take(name: int) -> int | None:
        with acting(Actor(f"key lk_{name}")):
            row = queue.take_next(stores)
            return None if row is None else row.number

    first, taken = take(9), at_once(take, range(4))

    assert first == 3
    assert sorted(taken, key=str) == [1, 2, None, None]


def test_who_skips_a_case_gets_another(services: Services, case: Case) -> None:
    """Until somebody moves it to them; nobody moves what another works on."""
    with acting(ANN):
        first = queue.take_next(services)
        queue.skip(services, case.id, "I know the artist")
        after_skipping = queue.take_next(services)
    with acting(BOB):
        second = queue.take_next(services)
        with acting(EVE), pytest.raises(Conflict, match="key lk_bob works on case 1 until"):
            queue.move(services, case.id, EVE.name, "mine")
        queue.move(services, case.id, ANN.name, "she has to")
    with acting(ANN):
        moved = queue.take_next(services)

    assert first is not None
    assert second is not None
    assert moved is not None
    assert after_skipping is None
    assert first.id == second.id == moved.id == case.id


def test_a_lease_that_ran_out_is_taken_over(services: Services, case: Case) -> None:
    """And one that is released at once."""
    with acting(ANN):
        queue.take_next(services)
    with acting(BOB):
        assert queue.take_next(services) is None
    with services.sessions.begin() as session:
        desk.case_to_change(session, case.id).lease_until = now()
    with acting(BOB):
        assert queue.take_next(services) is not None
        queue.release(services, case.id)
    with acting(ANN):
        assert queue.take_next(services) is not None


def test_the_queue_gives_nobody_a_case_that_they_may_not_judge(
    services: Services, case: Case, answer: Attribution
) -> None:
    """Of which they are a party, by account or for an artist, and where a finding names them."""
    drawn = NewCase(CaseKind.GENERATED, "drawn", [answer.id], priority=1)
    unnamed = opening.open_case(services, drawn).case
    shop = NewParty(PartyRole.RESPONDENT, name="A shop", account="key lk_shop (as then)")
    opening.add_party(services, case.id, shop)
    merge(services, "artist-0", "artist-1", Origin("test", "one"), is_confirmed=True)
    with acting(Actor("key lk_shop (as now)")):
        first, then = queue.take_next(services), queue.take_next(services)
        queue.release(services, unnamed.id)
    with acting(Actor("key lk_agent", artists=frozenset({"artist-1"}))):
        assert queue.take_next(services) is None
    with acting(ANN):
        assert queue.take_next(services) is not None

    assert first is not None
    assert then is not None
    assert first.id == then.id == unnamed.id


def test_the_queue_gives_nobody_an_appeal_against_their_appeal(
    services: Services, case: Case
) -> None:
    """Neither who decided the first, nor who decided the appeal."""
    with acting(ANN):
        assess(services, case, Assessed.REJECTED)
        judging.decide(services, case.id, REJECTED)
    with acting(BOB):
        filed = opening.appeal(services, case.id, "it is the same picture").case
        assess(services, filed, Assessed.REJECTED)
        denied = NewDecision(CaseOutcome.APPEAL_DENIED, Ground.OTHER_PICTURE, "it is another")
        judging.decide(services, filed.id, denied)
    beyond = opening.appeal(services, filed.id, "look again").case
    for one in (ANN, BOB):
        with acting(one):
            assert queue.take_next(services) is None
    with acting(EVE):
        taken = queue.take_next(services)

    assert taken is not None
    assert taken.id == beyond.id


def test_a_party_neither_comments_nor_skips_nor_names_parties(
    services: Services, case: Case
) -> None:
    """And the audit names the account of who was named."""
    shop = NewParty(PartyRole.RESPONDENT, name="A shop", account="key lk_shop (as then)")
    opening.add_party(services, case.id, shop)
    with acting(Actor("key lk_shop (as now)")):
        with pytest.raises(NotAllowed, match="is a party of case 1"):
            queue.comment(services, case.id, "it is licensed")
        with pytest.raises(NotAllowed, match="is a party of case 1"):
            queue.skip(services, case.id, "not mine")
        with pytest.raises(NotAllowed, match="is a party of case 1"):
            opening.add_party(services, case.id, shop)

    with services.sessions() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "add-party"))
    assert entry.details["account"] == "key lk_shop"


def test_a_party_who_was_named_by_mistake_goes_with_their_contact(
    services: Services, case: Case
) -> None:
    """While the case is open; somebody of their own does not do it, and the reason is a comment."""
    shop = NewParty(PartyRole.RESPONDENT, name="A shop", account="key lk_shop")
    opening.add_party(services, case.id, shop)
    with services.sessions() as session:
        artist, named = desk.parties_of(session, case.id)
    keep_contact(services, case.id, named.id, "mail@shop.example")
    with acting(Actor("key lk_shop (own)")), pytest.raises(NotAllowed, match="is a party of"):
        opening.remove_party(services, case.id, named.id, "not me")

    with acting(ANN):
        opening.remove_party(services, case.id, named.id, "another shop")

    with services.sessions() as session:
        assert [one.id for one in desk.parties_of(session, case.id)] == [artist.id]
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "remove-party"))
        assert [one.text for one in desk.notes_of(session, case.id)] == ["another shop"]
        told = [one.action for one in list_timeline(session, case.id).items]
    assert entry.details == {
        "party": str(named.id),
        "role": "respondent",
        "artist": None,
        "account": "key lk_shop",
    }
    assert told == [
        *("remove-party", "forget-contact", "note-comment", "keep-contact", "add-party"),
        "open-case",
    ]
    assert see_contacts(services, case.id) == []
    assess(services, case, Assessed.REJECTED)
    judging.decide(services, case.id, REJECTED)
    with pytest.raises(Conflict, match="to remove a party of a case it must have the status"):
        opening.remove_party(services, case.id, artist.id, "late")


def test_a_timeline_has_every_entry_about_a_case_once(
    services: Services, case: Case, tmp_path: Path
) -> None:
    """Of this case and no other, in pages, the newest first."""
    with acting(ANN):
        opening.add_answers(services, case.id, [other_answer(services, 77)])
        assess(services, case)
        judging.decide(services, case.id, CONFIRMED)
        paper = add_document(services, case.id, PAPER, "the shop's answer")
        see_document(services, case.id, paper.id)
    with acting(BOB):
        judging.second(services, case.id)
        opening.appeal(services, case.id, "there is a licence")
        judging.close(services, case.id)
    write_pack(services, contents_of_case(services, case.id), tmp_path / "case.zip")

    told, cursor = list[AuditEntry](), None
    with services.sessions() as session:
        while True:
            page = list_timeline(session, case.id, cursor=cursor, limit=3)
            told += page.items
            if (cursor := page.next) is None:
                break

    assert [one.action for one in told] == [
        *("pack-case", "close-case", "open-appeal", "amend", "view", "add-document", "decide"),
        *("assess" for _ in findings(services, case)),
        *("add-images", "open-case"),
    ]


# ---- around it -----------------------------------------------------------------------------------


def test_a_party_follows_a_merge_and_its_undoing(services: Services, case: Case) -> None:
    """Whoever acts for the artist who remained judges nothing in the case meanwhile."""
    assess(services, case)
    other = Actor("key lk_own (a)", artists=frozenset({"artist-1"}))
    change = merge(services, "artist-0", "artist-1", Origin("test", "one"), is_confirmed=True)
    with acting(other), pytest.raises(NotAllowed, match="acts for 'artist-0'"):
        assess(services, case)
    merged = cases_of(services, "artist-1")

    undo(services, change.id, Origin("test", "two"))

    with acting(other):
        assess(services, case)
    assert (merged, cases_of(services, "artist-1"), cases_of(services, "artist-0")) == (
        [1],
        [],
        [1],
    )


def test_a_contact_goes_when_its_time_is_over(services: Services, case: Case) -> None:
    """With the periodic work, which says how many; the party stays."""
    with services.sessions() as session:
        (party,) = desk.parties_of(session, case.id)
    keep_contact(services, case.id, party.id, "a@example.org")
    keep_contact(services, case.id, party.id, "b@example.org")
    assert [one.text for one in see_contacts(services, case.id)] == ["b@example.org"]
    assert reconcile(services, repair=True).contacts == 0
    with services.sessions.begin() as session:
        session.execute(update(PartyContact).values(until=now()))

    assert reconcile(services, repair=False).contacts == 1
    assert reconcile(services, repair=True).contacts == 1

    assert see_contacts(services, case.id) == []
    with services.sessions() as session:
        assert len(desk.parties_of(session, case.id)) == 1


def test_an_appeal_after_the_profile_changed(ingested: Settings, tmp_path: Path) -> None:
    """It stands with the statements of then, and says which encoders have come since."""
    work = next((tmp_path / "p" / "artist-0").glob("*.png"))
    with open_services(ingested) as before:
        case = opened(before, before.attributor.attribute(read_image_file(work)).id)
        assess(before, case, Assessed.REJECTED)
        judging.decide(before, case.id, REJECTED)
    with open_stores(ingested) as stores:
        change_profile(stores, "starter", partial=False, keep_old=False, progress=lambda *_: None)
        appeal = opening.appeal(stores, case.id, "it is the same picture").case
    with open_services(ingested.model_copy(update={"profile": "starter"})) as later:
        with later.sessions() as session:
            (subject,) = desk.list_case_subjects(session, appeal.id).items
            (finding,) = desk.list_case_findings(session, appeal.id).items
        assert subject.attribution_id is not None
        said = [one.said for one in later.attributor.differences(subject.attribution_id)]

    assert finding.statement.startswith("Shows the same image as ")
    assert any("the encoders were those of profile stub" in one for one in said)


def test_another_tenant_has_no_such_case(services: Services, case: Case) -> None:
    """And its own numbers."""
    with tenants.within("museum"):
        with services.sessions() as session, pytest.raises(NotFound):
            desk.case_by_id(session, case.id)
        other = opening.open_case(services, NewCase(CaseKind.WITHDRAWAL, "theirs"))

    assert other.case.number == 1


def test_a_finding_of_another_case_is_not_assessed(services: Services, case: Case) -> None:
    """It is not found there."""
    with pytest.raises(NotFound, match="the case has no finding"):
        judging.assess(services, case.id, [uuid4()], Assessed.CONFIRMED, WHY)


# ---- packs ---------------------------------------------------------------------------------------


@pytest.fixture
def packed(services: Services, case: Case, tmp_path: Path) -> Path:
    """Return the pack of a case that two people have decided."""
    with acting(ANN):
        assess(services, case)
        judging.decide(services, case.id, CONFIRMED)
        queue.comment(services, case.id, "between us: ring the shop")
        add_document(services, case.id, PAPER, "the shop's answer")
    with acting(BOB):
        judging.second(services, case.id)
    write_pack(services, contents_of_case(services, case.id), tmp_path / "case.zip")
    return tmp_path / "case.zip"


def files_of(pack: Path) -> dict[str, bytes]:
    """Return the files of a pack."""
    with ZipFile(pack) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_pack_of_a_case_has_what_people_decided(packed: Path, case: Case) -> None:
    """As data that is held against the audit, and in the report; what they wrote stays out."""
    files, found = files_of(packed), verification.verify(packed)

    assert found.is_intact, found.findings
    (said,) = [one.said for one in found.findings if one.about == "case"]
    assert said.startswith(
        f"case {case.number}: assessments (1), decisions (1) and documents (1) are as they were"
    )
    told = json.loads(files["case.json"])
    assert (told["title"], told["decisions"][0]["seconded_by"]) == ("a print", BOB.name)
    assert told["findings"][0]["assessments"][0]["why"] == WHY
    report = files["report.html"].decode()
    assert "What people decided" in report
    assert "in the judgement of the reviewers" in report
    assert "A second person signed this on" in report
    assert all(b"ring the shop" not in data for data in files.values())
    assert told["documents"][0]["sha256"] == hashlib.sha256(PAPER).hexdigest()
    assert all(PAPER not in data for data in files.values())


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "words": lambda one: one["decisions"][0].update(words="they stole it"),
    "outcome": lambda one: one["decisions"][0].update(outcome="match_rejected"),
    "second": lambda one: one["decisions"][0].update(seconded_by="key lk_eve"),
    "statement": lambda one: one["findings"][0].update(statement="Shows nothing."),
    "why": lambda one: one["findings"][0]["assessments"][0].update(why="no"),
    "left out": lambda one: one["decisions"].clear(),
    "title": lambda one: one.update(title="a theft"),
    "document": lambda one: one["documents"][0].update(sha256="0" * 64),
    "removed document": lambda one: one["documents"][0].update(removed_why="a forgery"),
    "no document": lambda one: one["documents"].clear(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_the_maker_of_a_pack_changed_of_a_case_is_found(
    services: Services, packed: Path, what: str
) -> None:
    """Whoever has the key cannot make people have decided something else."""
    files, path = files_of(packed), packed.with_name("changed.zip")
    case = json.loads(files["case.json"])
    CHANGES[what](case)
    files["case.json"] = rfc8785.dumps(case)

    wrong = wrongs(services, files, path)

    assert wrong
    assert all(one.startswith("case.json: ") for one in wrong)


def test_a_pack_names_the_case_that_one_goes_back_to(
    services: Services, case: Case, answer: Attribution, tmp_path: Path
) -> None:
    """In the manifest and the report; which one that is, and no other, the audit vouches for."""
    assess(services, case, Assessed.REJECTED)
    judging.decide(services, case.id, REJECTED)
    judging.close(services, case.id)
    (decision,) = decisions(services, case)
    filed = opening.appeal(services, case.id, "two drawings of one boat").case
    found: dict[UUID, tuple[dict[str, bytes], Path]] = {}
    for number, one in ((None, opened(services, answer.id)), (decision.number, filed)):
        path = tmp_path / f"{one.number}.zip"
        write_pack(services, contents_of_case(services, one.id), path)
        found[one.id] = files_of(path), path
        manifest, verified = json.loads(found[one.id][0][MANIFEST]), verification.verify(path)
        assert verified.is_intact, verified.findings
        earlier = {"id": str(case.id), "number": case.number, "decision": number}
        assert manifest["case"] == {"id": str(one.id), "number": one.number, "earlier": earlier}
        assert f"case {case.number}" in found[one.id][0]["report.html"].decode()
        recorded = str(decision.id if number else case.id)
        assert any(recorded in said.said for said in verified.findings if said.about == "case")
        manifest["case"]["earlier"] = None
        changed = found[one.id][0] | {MANIFEST: rfc8785.dumps(manifest)}
        assert wrongs(services, changed, path) == [
            "case.json: manifest.json names another case, or another that it goes back to"
        ]
    files, path = found[next(one for one in found if one != filed.id)]
    told = json.loads(files["case.json"]) | {"follows": None}
    changed = files | {"case.json": rfc8785.dumps(told)}
    assert wrongs(services, changed, path) == [
        "case.json: the case that it follows is not the one that was recorded"
    ]


def test_a_decision_that_no_entry_vouches_for_is_none(services: Services, packed: Path) -> None:
    """Cases came after the audit: that one was recorded before it is no way out."""
    files, path = files_of(packed), packed.with_name("changed.zip")
    records = json.loads(files[RECORDS])
    for one in records:
        if one["object"].startswith("decision:"):
            one["entry"] = None
    files[RECORDS] = rfc8785.dumps(records)

    assert any("its decision" in one for one in wrongs(services, files, path))


def wrongs(services: Services, files: dict[str, bytes], path: Path) -> list[str]:
    """Write changed files with a manifest that lists them, signed with the same key; verify it."""
    manifest, signer = json.loads(files[MANIFEST]), statement_signer(services.settings)
    with Archive(path) as archive:
        for one in manifest.pop("files"):
            archive.add(one["path"], files[one["path"]], one["what"])
        digest = archive.add_manifest(manifest)
        archive.add_about_manifest(SIGNATURE, sign_statement({SIGNS: digest}, signer).encode())
    return [one.said for one in verification.verify(path).findings if one.is_wrong]


def test_a_case_without_an_answer_has_no_pack(services: Services) -> None:
    """There is nothing that an answer could show."""
    case = opening.open_case(services, NewCase(CaseKind.WITHDRAWAL, "a claim")).case
    with pytest.raises(Conflict, match="there is no answer to pack"):
        contents_of_case(services, case.id)
