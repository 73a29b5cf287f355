"""Searching in the console: by words, by a picture, narrowed, and on from what was found."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.apis import png
from tests.browser import Person
from tests.console.works import register


def test_words_find_a_work_and_a_filter_narrows(person: Person) -> None:
    """The address shows the search again; every hit says what each leg gave."""
    register(person, "Sue Searched", 7_641, title="Quixotic lighthouse", licence="CC-BY-4.0")
    register(person, "Sam Searched", 7_642, title="Quixotic lighthouse too", licence="CC0-1.0")
    page = person.page("/search")
    page.get_by_label("Words", exact=True).fill("quixotic lighthouse")
    page.get_by_label("the same subject").uncheck()
    page.get_by_role("button", name="Search").click()
    hits = page.locator("#found").get_by_role("listitem")
    expect(hits).to_have_count(2)
    expect(hits.first).to_contain_text("text: rank 1")
    hits.first.get_by_role("link").first.focus()
    expect(hits.first.locator(".legs")).to_have_css("opacity", "1")

    page.get_by_label("Sam Searched").check()

    expect(hits).to_have_count(1)
    expect(hits).to_contain_text("Quixotic lighthouse too")
    page.wait_for_url("**artist=sam-searched**")
    page.reload()
    expect(hits).to_have_count(1)
    expect(page.get_by_label("Sam Searched")).to_be_checked()
    hits.get_by_role("link", name="Quixotic lighthouse too").click()
    expect(page.get_by_role("heading", level=1, name="Quixotic lighthouse too")).to_be_visible()


def test_a_picture_finds_its_like_page_by_page(person: Person) -> None:
    """More come as they are seen, the picture sent again; one leads to others like it."""
    register(person, "Pia Pictured", *range(7_100, 7_130))
    page = person.page("/search")
    page.get_by_label("and/or a picture").set_input_files(
        {"name": "q.png", "mimeType": "image/png", "buffer": png(7_100)}
    )
    page.get_by_role("button", name="Search").click()
    hits = page.locator("#found li:has(.legs)")
    expect(hits.first).to_contain_text("Pia Pictured")
    expect(hits).to_have_count(20)
    pictured = page.locator(".facets label", has_text="Pia Pictured")
    expect(pictured.locator(".muted")).to_have_text("30")  # on whatever page

    page.locator("#found .next").last.scroll_into_view_if_needed()

    expect(hits.nth(30)).to_be_attached()
    hits.first.get_by_role("link", name="same hand").click()
    expect(page.get_by_text("Like this work")).to_be_visible()
    expect(hits.first).to_contain_text("Pia Pictured")


def test_nothing_to_search_for_is_said_beside_the_form(person: Person) -> None:
    """With the way out."""
    page = person.page("/search")
    page.get_by_role("button", name="Search").click()

    expect(page.get_by_role("alert").first).to_contain_text("give words, an image or both")
