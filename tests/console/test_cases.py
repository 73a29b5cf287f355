"""From an image to a decision by two people: comparing, and judging in a case."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageOps, ImageStat
from playwright.sync_api import Browser, Page, expect

from api.http.app import create_app
from attribution import tenants
from attribution.actors import Role
from attribution.cases import CaseKind
from attribution.catalogue.columns import now
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.desk import verification
from attribution.desk.opening import NewCase, open_case
from attribution.upkeep import keys
from attribution.upkeep.tenants import create
from tests.apis import png
from tests.browser import Person, accessibility, at, shoot
from tests.console.works import register
from tests.homes import copy_ingested
from tests.keys import make_key
from tests.portfolios import picture
from tests.serving import serving


@dataclass(frozen=True)
class Desk:
    """A console of its own, with a key for each of two reviewers."""

    settings: Settings
    address: str
    ann: str
    bob: str


@pytest.fixture(scope="module")
def desk(ingested_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Serve a console where people log in with keys."""
    folder = tmp_path_factory.mktemp("desk")
    copy_ingested(ingested_once, folder)
    home = Settings(home=folder / "home", profile="stub", generator="stub", keep_originals=True)
    ann, bob = (make_key(home, Role.REVIEWER).token for _ in range(2))
    with serving(create_app(home)) as (host, port):
        yield Desk(home, f"http://{host}:{port}", ann, bob)


@pytest.fixture
def sat_down(browser: Browser, desk: Desk) -> Iterator[Callable[[str], Person]]:
    """Sit somebody down who logs in with a key."""
    sat = []

    def sit(key: str) -> Person:
        somebody = at(browser, desk.address)
        person = somebody.__enter__()
        sat.append(somebody)
        page = person.page()
        log_in(page, key)
        page.wait_for_url("**/console")
        page.close()
        return person

    yield sit
    for one in sat:
        one.__exit__(None, None, None)


def log_in(page: Page, key: str) -> None:
    """Log in where a key is asked for."""
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")


def look_up(page: Page, data: bytes) -> None:
    """Choose an image, which is looked up at once, and wait for its answer."""
    files = {"name": "found.png", "mimeType": "image/png", "buffer": data}
    page.get_by_label("Images").set_input_files(files)  # type: ignore[arg-type]
    page.wait_for_url("**/console/lookup/*-*")


def altered(seed: int) -> bytes:
    """Return a work of the portfolio, mirrored."""
    buffer = io.BytesIO()
    ImageOps.mirror(picture(seed)).save(buffer, "PNG")
    return buffer.getvalue()


def reach(page: Page, name: str) -> None:
    """Press the tabulator until what has this name or id is focused."""
    said = "(one => [one.id, one.textContent.trim()])(document.activeElement)"
    for _ in range(80):
        page.keyboard.press("Tab")
        if name in page.evaluate(said):
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


def sign_and_pack(page: Page, pack: Path) -> None:
    """Sign the decision of a case, once the page has said what that means; then save its pack."""
    page.get_by_role("button", name="Sign decision 1").click()
    expect(page.get_by_text("neither it nor your signature ever changes")).to_be_visible()
    page.get_by_role("button", name="Sign it").click()
    expect(page.get_by_text("decided", exact=True)).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download the pack").click()
    saved.value.save_as(pack)
    found = verification.verify(pack)
    assert [one.said for one in found.findings if one.is_wrong] == []


def brightness(shot: bytes) -> float:
    """Return how bright the middle of a picture is, 0 to 255."""
    grey = Image.open(io.BytesIO(shot)).convert("L")
    width, height = grey.size
    middle = grey.crop((2 * width // 5, height // 4, 3 * width // 5, 3 * height // 4))
    return ImageStat.Stat(middle).mean[0]


def test_a_copy_case_by_keyboard_and_two_people(
    desk: Desk, sat_down: Callable[[str], Person], tmp_path: Path
) -> None:
    """From the image to a decision by keyboard alone; another person signs, the pack is intact."""
    page = sat_down(desk.ann).page("/lookup")
    press, say = page.keyboard.press, page.keyboard.type
    look_up(page, altered(0))
    expect(page.get_by_role("heading", level=1)).to_contain_text("work-0")
    reach(page, "Compare")
    press("Enter")
    page.wait_for_url("**/console/compare/**")
    panes = page.locator("#compare")
    for key, mode in {"b": "blink", "o": "overlay", "d": "difference", "s": "side"}.items():
        expect(page.locator("#work")).to_have_js_property("complete", value=True)
        press(key)
        expect(panes).to_have_attribute("data-mode", mode)
        if mode == "difference":
            assert brightness(page.locator(".view").first.screenshot()) < 20
    press("+")
    expect(page.locator(".moved").nth(0)).to_have_attribute("style", re.compile(r"scale\(1.25\)"))
    expect(page.locator(".moved").nth(1)).to_have_attribute("style", re.compile(r"scale\(1.25\)"))
    press("c")  # no case is open, so it leads to what opens one
    press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("link", name="Case 1")).to_be_visible()
    page.wait_for_load_state()
    press("c")
    say("the same blocks, mirrored")
    press("Enter")
    expect(page.locator("#judgement")).to_contain_text("said confirmed")
    expect(page.get_by_role("link", name="Case 1")).to_be_focused()
    press("Enter")
    page.wait_for_url("**/console/cases/*")
    reach(page, "outcome")
    press("ArrowDown")
    reach(page, "ground")
    press("ArrowDown")
    reach(page, "words")
    say("the image shows the registered work, mirrored")
    reach(page, "Decide")
    page.once("dialog", lambda dialog: dialog.accept())  # the browser asks; Enter says yes
    press("Enter")
    expect(page.get_by_text("waits for a second person", exact=True)).to_be_visible()
    expect(page.get_by_text("This decision is yours")).to_be_visible()
    case = page.get_by_role("heading", level=1).inner_text()
    assert re.fullmatch("Image [0-9a-f]{8} and work [0-9a-f]{8}", case)  # which accuses nobody

    other = sat_down(desk.bob).page()
    waiting = other.get_by_role("region", name="Waiting for me")
    expect(waiting).to_contain_text("Waiting for the signature of a second person")
    waiting.get_by_role("link", name=case).click()
    sign_and_pack(other, tmp_path / "pack.zip")


def test_a_case_from_its_queue_to_an_appeal(desk: Desk, sat_down: Callable[[str], Person]) -> None:
    """Taken, commented, something put on hold and released, decided, closed; then appealed."""
    page = sat_down(desk.ann).page("/lookup")
    look_up(page, altered(101))
    page.get_by_role("button", name="Open a case").click()
    page.get_by_label("Title").fill("A poster at a fair")
    page.get_by_role("button", name="Open the case").click()
    page.wait_for_url("**/console/cases/*")
    answer = page.get_by_role("link", name="see the answer").get_attribute("href")
    assert answer
    page.get_by_label("Comment").fill("seen at the fair")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.get_by_text("seen at the fair").first).to_be_visible()  # in a page made anew
    page.get_by_role("button", name="Put something on hold").click()
    page.locator("#hold").get_by_label("Why").fill("a claim was announced")
    page.get_by_role("button", name="Put it on hold").click()
    expect(page.get_by_text("a claim was announced").first).to_be_visible()
    page.get_by_label("rejected").check()
    page.locator("#why-1").fill("another poster")
    page.get_by_role("button", name="Assess").click()
    expect(page.get_by_text("called finding 1 (copy) rejected")).to_be_visible()
    page.get_by_label("Outcome").select_option("match_rejected")
    page.get_by_label("Reason").select_option("other_picture")
    page.get_by_label("In your words").fill("other blocks")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Decide").click()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Close the case").click()
    expect(page.get_by_role("alert")).to_contain_text("end its holds first")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="End the hold of").click()
    page.locator("dialog[open]").get_by_label("Why").fill("it was settled")
    page.locator("dialog[open]").get_by_role("button", name="End the hold").click()
    expect(page.get_by_text("ended the hold").first).to_be_visible()
    decided = page.url
    page.get_by_role("button", name="Appeal").click()
    page.locator("dialog[open]").get_by_label("Why").fill("the fair disagrees")
    page.get_by_role("button", name="Open an appeal").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Appeal against decision 1")
    expect(page.locator("#different")).to_contain_text("Nothing is different.")
    page.get_by_role("radio", name="unclear").check()
    page.locator("#why-1").fill("mine to judge?")
    page.get_by_role("button", name="Assess").click()
    expect(page.get_by_role("alert")).to_contain_text("another reviewer")
    page.goto(decided)
    expect(page.get_by_role("note").first).to_contain_text("An appeal against decision 1")
    page.goto(f"{desk.address}{answer}")
    expect(page.get_by_role("link", name=re.compile("Case . .appeal."))).to_be_visible()
    expect(page.get_by_text("is about this image, and was decided on")).to_be_visible()
    page.goto(f"{desk.address}/console/cases?show=closed")
    pairs = saved_pairs(page)
    assert any(one["ground"] == "other_picture" and not one["is_match"] for one in pairs)


def saved_pairs(page: Page) -> list[dict[str, Any]]:
    """Save the decided pairs from the list of cases; returns them."""
    with page.expect_download() as saved:
        page.get_by_role("link", name="JSON Lines").click()
    return [json.loads(line) for line in saved.value.path().read_text().splitlines()]


def open_about(person: Person, data: bytes) -> Page:
    """Look an image up and open a case about it; returns its page."""
    page = person.page("/lookup")
    look_up(page, data)
    page.get_by_role("button", name="Open a case").click()
    page.get_by_role("button", name="Open the case").click()
    page.wait_for_url("**/console/cases/*")
    page.wait_for_load_state()
    return page


def test_a_case_is_planned_and_its_parties_are_reached(person: Person) -> None:
    """Contacts are shown when asked for, edited and deleted; the timeline has all of it."""
    page = open_about(person, png(701))
    dialog, timeline = page.locator("dialog[open]"), page.locator(".timeline")
    page.get_by_role("button", name="Plan …").click()
    dialog.get_by_label("Priority").select_option("1")
    dialog.get_by_label("Due").fill("2027-03-01T12:00")
    dialog.get_by_role("button", name="Save the plan").click()
    expect(timeline).to_contain_text("priority 1, due 2027-03-01 12:00 UTC")
    page.get_by_role("button", name="Name a party").click()
    dialog.get_by_label("with the case").select_option("respondent")
    dialog.get_by_label("or a name").fill("A web shop")
    dialog.get_by_role("button", name="Name them").click()
    expect(timeline).to_contain_text("named a party: A web shop")

    page.get_by_role("link", name="Show contacts").click()
    contact = page.get_by_role("textbox", name="How A web shop can be reached")
    contact.fill("mail@shop.example")
    page.get_by_role("button", name="Keep it").click()
    expect(timeline).to_contain_text("entered how A web shop can be reached")
    assert "mail@shop.example" not in page.content()
    page.get_by_role("link", name="Show contacts").click()
    expect(contact).to_have_value("mail@shop.example")
    page.get_by_role("button", name="Delete how A web shop").click()
    dialog.get_by_role("button", name="Delete the contact").click()
    expect(timeline).to_contain_text("deleted how A web shop can be reached")
    expect(timeline).to_contain_text("saw how A web shop can be reached")
    page.get_by_role("button", name="Remove A web shop").click()
    dialog.get_by_label("Why").fill("named by mistake")
    dialog.get_by_role("button", name="Remove the party").click()
    expect(timeline).to_contain_text("removed a party: respondent")
    expect(page.get_by_text("Nobody is named.")).to_be_visible()


def test_documents_of_a_case_are_saved_and_never_shown(person: Person) -> None:
    """A file is added, saved as it came, and removed; its line stays."""
    page = open_about(person, png(702))
    dialog, timeline = page.locator("dialog[open]"), page.locator(".timeline")
    letter = "Dear desk, it is ours."
    page.get_by_role("button", name="Add a document").click()
    files = {"name": "letter.txt", "mimeType": "text/plain", "buffer": letter.encode()}
    dialog.get_by_label("A PDF, an image").set_input_files(files)  # type: ignore[arg-type]
    dialog.get_by_label("What it is").fill("The shop's answer")
    dialog.get_by_role("button", name="Add it").click()
    paper = page.get_by_role("link", name="The shop's answer")

    with page.expect_download() as saved:
        paper.click()

    assert saved.value.path().read_text() == letter
    assert saved.value.suggested_filename.endswith(".txt")
    page.get_by_role("button", name="Remove document 1").click()
    dialog.get_by_label("Why").fill("sent twice")
    dialog.get_by_role("button", name="Remove the document").click()
    expect(timeline).to_contain_text("removed document 1")
    expect(timeline).to_contain_text("saved document 1")
    expect(paper).to_have_count(0)
    expect(page.locator("ol.papers")).to_contain_text("“sent twice”")


def test_a_sealed_exhibit_is_opened(person: Person) -> None:
    """What is left of a work that was withdrawn while it was on hold; the timeline says who saw."""
    work = register(person, "Zora Sealed", 703)
    page = open_about(person, png(703))
    dialog, timeline = page.locator("dialog[open]"), page.locator(".timeline")
    page.get_by_role("button", name="Put something on hold").click()
    dialog.get_by_label("What").select_option(f"work:{work}")
    dialog.get_by_label("Why").fill("a claim was announced")
    dialog.get_by_role("button", name="Put it on hold").click()
    expect(timeline).to_contain_text(f"put work {work} on hold")
    leaving = {"what": work, "reason": "asked for by the artist"}
    httpx.post(f"{person.address}/v1/withdrawals", json=leaving).raise_for_status()
    page.reload()

    page.get_by_role("button", name=f"Open the exhibit of work {work}").click()

    expect(page.get_by_alt_text("The work that was withdrawn")).to_be_visible()
    page.reload()
    expect(timeline).to_contain_text("withdrew works on hold (1)")
    expect(timeline).to_contain_text(f"opened the sealed exhibit of work {work}")


def test_the_queue_gives_a_case_to_one_person(
    desk: Desk, sat_down: Callable[[str], Person]
) -> None:
    """It is among theirs then, and not among those of nobody; with none left, the page says so."""
    ann, bob = sat_down(desk.ann), sat_down(desk.bob)
    with open_stores(desk.settings) as stores:
        new = NewCase(CaseKind.WITHDRAWAL, "A letter", priority=1, due_at=now() + timedelta(1))
        case = open_case(stores, new).case
    page = ann.page("/cases")

    page.get_by_role("button", name="Take the next case").click()

    page.wait_for_url(f"**/console/cases/{case.id}")
    title = page.get_by_role("link", name="A letter")
    page.goto(f"{desk.address}/console/cases?show=mine&kind=withdrawal")
    expect(title).to_be_visible()
    page.goto(f"{desk.address}/console/cases?show=due")
    expect(title).to_be_visible()
    page.goto(f"{desk.address}/console/cases?show=unassigned")
    expect(title).to_have_count(0)
    theirs = bob.page(f"/cases/{case.id}")
    theirs.get_by_role("button", name="Skip").click()
    theirs.locator("dialog[open]").get_by_label("Why").fill("not for me")
    theirs.get_by_role("button", name="Skip the case").click()
    expect(theirs.get_by_role("alert")).to_contain_text("works on case")


def test_both_pictures_are_zoomed_and_blurred_as_somebody_wants(
    desk: Desk, sat_down: Callable[[str], Person]
) -> None:
    """By the wheel over either; the browser remembers the blur for the next page."""
    person = sat_down(desk.ann)
    page = person.page("/lookup")
    look_up(page, altered(2))
    page.get_by_role("link", name="Compare").first.click()
    page.get_by_label("Blur pictures").check()
    page.locator(".view").first.hover()
    page.mouse.wheel(0, -200)
    zoomed = re.compile(r"scale\(1\.6")
    expect(page.locator(".moved").nth(1)).to_have_attribute("style", zoomed)
    address = page.url

    page.keyboard.press("n")

    page.wait_for_url(lambda url: url != address)
    expect(page.get_by_label("Blur pictures")).to_be_checked()
    expect(page.locator("#image")).to_have_css("filter", "blur(16px)")


def test_who_is_not_let_in(desk: Desk, browser: Browser) -> None:
    """A wrong key is told so; who has to log in again loses nothing that was written."""
    key = make_key(desk.settings, Role.REVIEWER)
    with at(browser, desk.address) as person:
        page = person.page("/cases")
        log_in(page, "lk_00000000_" + "A" * 43)
        expect(page.get_by_role("alert")).to_be_visible()
        log_in(page, key.token)
        expect(page.get_by_role("heading", name="Cases")).to_be_visible()
        page.wait_for_load_state()
        with open_stores(desk.settings) as stores:
            keys.revoke(stores, key.row.id)

        page.get_by_role("button", name="Take the next case").click()

        expect(page.get_by_role("alert")).to_contain_text("You are not logged in any more")
        page.reload()
        expect(page.get_by_label("Key", exact=True)).to_be_visible()


def test_a_case_of_another_tenant_is_not_there(
    desk: Desk, sat_down: Callable[[str], Person]
) -> None:
    """Its address says what that of no case says."""
    with open_stores(desk.settings) as stores:
        create(stores, "others")
        with tenants.within("others"):
            theirs = open_case(stores, NewCase(CaseKind.MATCH, "Theirs")).case

    page = sat_down(desk.ann).page(f"/cases/{theirs.id}")

    expect(page.get_by_role("alert")).to_contain_text(f"no case {theirs.id}")
    expect(page.get_by_text("Theirs")).to_have_count(0)


def test_pages_are_for_everybody(person: Person) -> None:
    """Narrow and wide, light and dark: nothing overflows, nothing is serious for axe."""
    page = open_about(person, altered(3))
    case, cases = page.url, f"{person.address}/console/cases"
    page.get_by_role("link", name="Compare", exact=True).click()
    page.wait_for_url("**/console/compare/**")
    apart = {f"case-{one}": f"{case}/{one}" for one in ("contacts", "documents", "timeline")}
    for name, address in {"compare": page.url, "case": case, "cases": cases, **apart}.items():
        page.goto(address)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (360, 768, 1440):
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, name
                shoot(page, f"{name}-{width}-{scheme}")
            assert accessibility(page) == [], (name, scheme)
