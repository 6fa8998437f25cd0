"""The operators' desk in a real browser: its menus are scripts of a library that our policy must let work."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.looks import Console, overflow
from tests.browser.seed import World
from tests.stack.stacks import Stack


@pytest.fixture
def page(desk: BrowserContext, stack: Stack, world: World) -> Page:
    page = desk.new_page()
    page.goto(f"{stack.access['url']}/admin/")
    return page


def test_first_page_shows_figures_and_its_search_works(page: Page) -> None:
    console = Console(page)
    page.reload()
    expect(page.get_by_text("Jobs waiting")).to_be_visible()
    expect(page.locator("#search-input-command")).to_be_hidden()
    page.locator("#nav-filter").press_sequentially("node")
    page.locator("#search-results").get_by_role("link").first.click()
    page.wait_for_url(re.compile("/admin/gpucloud/node/$"))
    assert not console.take()


def test_operator_finds_a_job_and_opens_it(page: Page) -> None:
    console = Console(page)
    page.locator("#nav-sidebar a[href='/admin/gpucloud/job/']").click()
    page.wait_for_url(re.compile("/admin/gpucloud/job/$"))
    page.locator("#searchbar").fill("lms.import")
    page.keyboard.press("Enter")
    page.locator("#result_list tbody a").first.click()
    expect(page.get_by_text("lms.import").first).to_be_visible()
    assert not console.take()


@pytest.mark.parametrize(
    "path", ["", "settings/", "gpucloud/job/", "core/user/", "core/auditevent/", "lms/deployment/"]
)
def test_pages_fit_and_write_no_errors(desk: BrowserContext, stack: Stack, world: World, path: str) -> None:
    for width in (1280, 390):
        page = desk.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        console = Console(page)
        page.goto(f"{stack.access['url']}/admin/{path}")
        expect(page.locator("h1").first).to_be_attached()
        assert overflow(page) == []
        assert console.take() == []
        page.close()
