"""The map in the console: walked by keys and buttons, told in words, an image dropped onto it."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.apis import png
from tests.browser import Person, accessibility
from tests.console.works import register
from tests.portfolios import wait_until


def map_of(person: Person) -> dict[str, Any]:
    """Return what the API says of the whole map."""
    found: dict[str, Any] = httpx.get(f"{person.address}/v1/map").json()
    return found


def open_map(person: Person) -> Page:
    """Open the map once it shows works."""
    page = person.page("/insight/map")
    page.wait_for_load_state()
    expect(page.get_by_text("works in view")).to_be_visible()
    return page


def test_the_map_is_walked_and_told_in_words(person: Person) -> None:
    """By keys and buttons; the works in the middle are links, which show where they are."""
    register(person, "Mia Mapped", 7_801, 7_802, title="A mapped boat")
    wait_until(lambda: [one["slug"] for one in map_of(person)["works"]].count("mia-mapped") == 2)
    page = open_map(person)
    counted = page.locator("[data-part=counted]")
    whole = counted.inner_text()

    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()

    expect(counted).not_to_have_text(whole)
    page.get_by_role("application", name="Map of the works").press("0")
    expect(counted).to_have_text(whole)
    middle = page.locator("[data-part=list]").get_by_role("link").first
    middle.focus()
    expect(page.locator(".told")).to_contain_text(middle.inner_text())
    assert accessibility(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/works/*")


def test_an_image_lands_between_its_like(person: Person) -> None:
    """What it lies between is listed; a file that is no image is refused in words."""
    register(person, "Leo Landed", 7_811, title="Where it landed")
    wait_until(lambda: any(one["slug"] == "leo-landed" for one in map_of(person)["works"]))
    page = open_map(person)
    image = page.get_by_label("Drop an image onto the map")

    image.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(7_811)})

    expect(page.get_by_role("heading", name="What the image lies between")).to_be_visible()
    expect(page.locator("#landing").get_by_role("listitem").first).to_contain_text("Leo Landed")
    image.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no image"})
    expect(page.locator("#landing").get_by_role("alert")).to_be_visible()
