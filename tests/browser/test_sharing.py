"""One person, two projects: share a dataset version, find it on the other side, take it back."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from aifs.sdk import Client
from tests.browser.conftest import START_PAGE
from tests.browser.looks import Console, axe, overflow
from tests.browser.seed import write_instructions
from tests.stack.stacks import Stack

SIZES = ({"width": 1280, "height": 900}, {"width": 390, "height": 844})


@pytest.fixture
def page(desk: BrowserContext, stack: Stack) -> Page:
    """In a second project, `quay`."""
    page = desk.new_page()
    page.goto(stack.access["url"] + "/projects/new/")
    page.get_by_label("Name", exact=True).fill("Quay")
    page.get_by_role("button", name="Create project").click()
    page.wait_for_url(START_PAGE)
    return page


def look(page: Page, where: str) -> None:
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert overflow(page) + axe(page) == [], where
    page.set_viewport_size(SIZES[0])  # type: ignore[arg-type]


def test_share_find_use_and_take_back(page: Page, stack: Stack, tmp_path: Path) -> None:
    access = stack.access
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        data = client.datasets.import_file(write_instructions(tmp_path / "sums.jsonl"), name="shared-sums")
        data.wait(timeout_s=120)
    console = Console(page)
    page.goto(f"{access['url']}/p/{access['project']}/data/")
    page.get_by_role("link", name="shared-sums").click()
    source = page.url
    panel = page.locator("#shares")
    panel.get_by_label("Share it with").select_option(label="Quay")
    panel.get_by_role("button", name="Share").click()
    expect(panel).to_contain_text("The project Quay")
    look(page, "source")

    page.goto(f"{access['url']}/p/quay/data/")
    expect(page.locator("tbody tr")).to_contain_text(f"shared from {access['project'].title()}")
    look(page, "list")
    page.get_by_role("link", name="shared-sums").click()
    page.wait_for_url(re.compile("/p/quay/shared/"))
    there = page.url
    expect(page.get_by_role("link", name="Read the rows")).to_be_visible()
    expect(page.locator("#comment-text")).to_be_visible()
    look(page, "shared")
    page.get_by_role("link", name="Fine-tune").click()
    expect(page.locator("[data-param=dataset] select option:checked")).to_contain_text("shared-sums:1 (shared from")
    page.goto(f"{access['url']}/p/quay/settings/team/")
    look(page, "team")
    assert console.take() == []

    page.goto(source)
    page.on("dialog", lambda dialog: dialog.accept())
    panel.get_by_role("button", name="Take back").click()
    expect(panel).to_contain_text("Only this project sees it.")
    answer = page.goto(there)
    assert answer is not None and answer.status == 404
    page.goto(f"{access['url']}/p/quay/data/")
    expect(page.get_by_role("link", name="shared-sums")).to_have_count(0)
