"""Artists and works in the console: found by name, merged and parted, corrected, withdrawn."""

from __future__ import annotations

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.browser import Person
from tests.console.works import register


def home_count(person: Person) -> str:
    """Return what Home says is registered."""
    return person.page().get_by_role("region", name="Registered").inner_text()


def test_an_artist_withdraws(person: Person) -> None:
    """Only once the name was typed; then the artist is gone from everywhere, with a receipt."""
    register(person, "Wanda Withdraws", 7_601, title="Leaving harbour")
    before = home_count(person)
    page = person.page("/artists?name=wanda")
    page.get_by_role("link", name="Wanda Withdraws").click()
    expect(page.get_by_role("link", name="Leaving harbour")).to_be_visible()
    page.get_by_role("button", name="Withdraw …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason, for the receipt").fill("asked for by the artist")
    dialog.get_by_label("Type the artist’s name").fill("Wanda")
    dialog.get_by_role("button", name="Withdraw for good").click()
    expect(dialog.get_by_role("alert")).to_contain_text("type 'Wanda Withdraws' to confirm")

    dialog.get_by_label("Type the artist’s name").fill("Wanda Withdraws")
    dialog.get_by_role("button", name="Withdraw for good").click()

    page.wait_for_url("**/console/receipts/*-*")
    expect(page.get_by_text("Removed, and that was checked")).to_be_visible()
    expect(page.get_by_text("asked for by the artist")).to_be_visible()
    expect(page.get_by_text("left: 0, looked for in")).to_be_visible()
    assert home_count(person) != before
    for place in ("/artists", "/artists?name=wanda"):
        expect(person.page(place).get_by_role("link", name="Wanda Withdraws")).to_have_count(0)
    found = person.page("/search?q=leaving+harbour")
    expect(found.get_by_role("link", name="Leaving harbour")).to_have_count(0)
    left = person.page("/artists/wanda-withdraws")
    expect(left.get_by_text("This artist has withdrawn")).to_be_visible()


def test_likely_doubles_are_merged_and_parted_again(person: Person) -> None:
    """What a merge would do is said before; its history takes it back."""
    register(person, "Dora Double", 7_611, title="One")
    register(person, "Dora M. Double", 7_612, title="Two")
    page = person.page("/artists/dora-m-double")
    page.get_by_role("link", name="see what a merge would do").click()
    expect(page.get_by_text("1 work of 'Dora M. Double' would become")).to_be_visible()
    page.get_by_label("Reason").fill("one person")

    page.get_by_role("button", name="Merge them").click()

    page.wait_for_url("**/console/artists/dora-double")
    expect(works(page)).to_have_count(2)
    expect(page.get_by_text("Also: Dora M. Double")).to_be_visible()
    page.get_by_text("Undo this merge").click()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url("**/console/artists/dora-m-double")
    expect(works(page)).to_have_count(1)


def works(page: Page) -> Locator:
    """Find the works of a grid."""
    return page.get_by_role("listitem").filter(has=page.locator("img"))


def test_a_work_is_corrected_with_what_was_read(person: Person) -> None:
    """A form that was filled in before somebody else's correction changes nothing."""
    work = register(person, "Cora Corrects", 7_621, title="Before")
    late = person.page(f"/works/{work}")
    page = person.page(f"/works/{work}")
    page.get_by_label("Title").fill("After")
    page.get_by_label("Tags, one a line").fill("boat\nsea")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", level=1, name="After")).to_be_visible()
    expect(page.get_by_role("definition").filter(has_text="boat, sea")).to_be_visible()
    expect(page.get_by_text("title: Before → After")).to_be_visible()
    late.get_by_label("Title").fill("Too late")
    late.get_by_role("button", name="Save").click()
    expect(late.get_by_role("alert")).to_contain_text("somebody else has changed this")


def test_consent_for_a_portfolio_is_stated(person: Person) -> None:
    """It counts at once, with its document; a work that may not be displayed says so."""
    work = register(person, "Connie Consents", 7_631, title="Hidden")
    page = person.page("/artists/connie-consents")
    page.get_by_text("State consent").click()
    page.get_by_label("Purpose").select_option("display")
    page.get_by_label("Answer").select_option("deny")
    page.get_by_label("Document: where it is written").fill("letter of 3 May")

    page.get_by_role("button", name="State it").click()

    expect(page.get_by_text("display: not allowed, said of the whole portfolio")).to_be_visible()
    expect(page.get_by_text("may not be displayed")).to_be_visible()
    seen = person.page(f"/works/{work}")
    expect(seen.get_by_text("You see it as evidence")).to_be_visible()
    expect(seen.get_by_role("img", name="Hidden")).to_have_js_property("naturalWidth", 64)
    about = {"action": "view", "object": f"artwork:{work}"}
    assert httpx.get(f"{person.address}/v1/audit", params=about).json()["items"]


def test_the_works_of_a_large_portfolio_come_as_they_are_seen(person: Person) -> None:
    """Sixty at once, the next ones when the reader gets there."""
    register(person, "Molly Many", *range(7_000, 7_070))
    page = person.page("/artists/molly-many")
    expect(works(page)).to_have_count(60)

    page.get_by_role("link", name="Show the next works").scroll_into_view_if_needed()

    expect(works(page)).to_have_count(70)
    expect(page.get_by_role("link", name="Show the next works")).to_have_count(0)
