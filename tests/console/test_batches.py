"""Many images in the console: sent, followed, said together, filtered, a case opened for them."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import FilePayload, Page, expect

from tests.apis import archive, png
from tests.browser import Person
from tests.portfolios import wait_until

COPIED, OTHER = png(611), png(612)


def register(page: Page, console: str, data: bytes, artist: str) -> str:
    """Register a work; returns its id."""
    file: FilePayload = {"name": "w.png", "mimeType": "image/png", "buffer": data}
    page.request.post(f"{console}/v1/ingest-jobs", multipart={"file": file, "artist": artist})
    listed = f"{console}/v1/artworks?artist={artist.lower().replace(' ', '-')}"
    wait_until(lambda: page.request.get(listed).ok and page.request.get(listed).json()["items"])
    return str(page.request.get(listed).json()["items"][0]["id"])


def test_an_archive_goes_through_to_a_table_and_a_case(person: Person, console: str) -> None:
    """What the images say together, each in a line; those that show a work become a case."""
    page = person.page("/batches")
    register(page, console, COPIED, "Bea Batch")
    packed = archive({"copy.png": COPIED, "other.png": OTHER, "bad.png": b"no image"})
    page.get_by_label("Archive or CSV").set_input_files(
        {"name": "shop.zip", "mimeType": "application/zip", "buffer": packed}
    )

    page.get_by_role("button", name="Look up", exact=True).click()

    page.wait_for_url("**/console/batches/*-*")
    expect(page.get_by_role("definition").filter(has_text="done")).to_be_visible()
    together = page.get_by_role("region", name="Together")
    expect(together).to_contain_text("1 by copy")
    expect(together.get_by_role("link", name="Bea Batch")).to_be_visible()
    expect(page.get_by_role("row", name="bad.png")).to_contain_text("refused")
    copy = page.get_by_role("row", name="copy.png")
    expect(copy).to_contain_text("shows a registered work")
    expect(copy).to_contain_text("Bea Batch")

    page.get_by_role("link", name="shows a registered work 1").click()
    expect(page.get_by_role("row", name="other.png")).to_have_count(0)
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save this list as CSV").click()
    saved = Path(saving.value.path()).read_text("utf-8-sig").splitlines()
    assert [line.split(",")[1] for line in saved] == ["name", "copy.png"]

    page.get_by_role("button", name="Open a case for these").click()
    page.get_by_label("Title").fill("A shop of Bea's")
    page.get_by_role("button", name="Open the case").click()
    page.wait_for_url("**/console/cases/*-*")
    (case,) = [
        one
        for one in page.request.get(f"{console}/v1/cases").json()["items"]
        if one["title"] == "A shop of Bea's"
    ]
    assert (case["kind"], case["subjects"]) == ("match", 1)


def test_registered_works_are_looked_up_by_their_ids(person: Person, console: str) -> None:
    """What is no id is refused in its line; the works are shown as they may be."""
    page = person.page("/batches")
    work = register(page, console, png(613), "Bob Batch")
    page.get_by_label("Ids of works").fill(f"{work}\nnot-an-id")

    page.get_by_role("button", name="Look works up").click()

    page.wait_for_url("**/console/batches/*-*")
    expect(page.get_by_role("definition").filter(has_text="done")).to_be_visible()
    expect(page.get_by_role("row", name="not-an-id")).to_contain_text("refused")
    expect(page.get_by_role("row", name=work).locator("img")).to_be_visible()


def test_a_file_that_is_no_batch_is_refused_beside_the_form(person: Person) -> None:
    """It says what to do instead."""
    page = person.page("/batches")
    page.get_by_label("Archive or CSV").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": OTHER}
    )

    page.get_by_role("button", name="Look up", exact=True).click()

    expect(page.get_by_role("alert").first).to_contain_text("look it up by itself")
