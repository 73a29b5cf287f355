"""Works come in through the console: looked at first, followed, and what was refused saved."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import FilePayload, expect

from tests.apis import archive, png
from tests.browser import Person

PACKED: FilePayload = {
    "name": "zed.zip",
    "mimeType": "application/zip",
    "buffer": archive(
        {"Zed Zero/a.png": png(501), "Zed Zero/b.png": png(502), "Zed Zero/bad.png": b"no image"}
    ),
}


def test_an_archive_is_checked_then_taken_in(person: Person) -> None:
    """A look at it writes nothing; the job is followed to its end, its refused files are saved."""
    page = person.page("/ingest")
    page.get_by_label("Archive").set_input_files(PACKED)
    page.get_by_role("button", name="Check first").first.click()
    expect(page.get_by_text("Nothing was taken in yet")).to_be_visible()
    expect(page.get_by_role("row", name="Zed Zero/bad.png")).to_contain_text("refused")

    page.get_by_role("button", name="Take in").first.click()

    page.wait_for_url("**/console/ingest/*-*")
    expect(page.get_by_role("definition").filter(has_text="done")).to_be_visible()
    page.get_by_role("link", name="refused 1").click()
    page.wait_for_load_state()
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save this list as CSV").click()
    saved = Path(saving.value.path()).read_text("utf-8-sig").splitlines()
    assert saving.value.suggested_filename == "refused.csv"
    assert [line.split(",")[0] for line in saved] == ["path", "Zed Zero/bad.png"]


def test_one_work_is_checked_with_what_is_said_of_it(person: Person) -> None:
    """Fields that were left empty are not sent as if somebody had filled them in."""
    page = person.page("/ingest")
    page.get_by_label("Image").set_input_files(
        {"name": "z.png", "mimeType": "image/png", "buffer": png(503)}
    )
    page.get_by_label("Artist", exact=True).fill("Zed Zero")
    page.get_by_label("to be shown", exact=True).select_option("no")

    page.get_by_role("button", name="Check first").nth(1).click()

    expect(page.get_by_role("row", name="z.png")).to_contain_text("added")
