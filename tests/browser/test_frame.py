"""The frame under a hand: palette, rail, theme, language, account, keyboard, phones."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import START_PAGE, sign_in
from tests.browser.looks import Console
from tests.stack.stacks import Stack


@pytest.fixture
def page(desk: BrowserContext, stack: Stack) -> Page:
    page = desk.new_page()
    page.goto(stack.access["url"])
    page.wait_for_url(START_PAGE)
    return page


def test_sign_in_with_a_wrong_password_says_so(browser, stack: Stack) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(stack.access["url"])
    page.get_by_label("Email").fill(stack.access["username"])
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("[role=alert]")).to_be_visible()
    context.close()


def test_sign_out_and_in(browser, stack: Stack) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    sign_in(page, stack)
    page.locator("summary[aria-label=Account]").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/account/login/"))
    context.close()


def test_palette_opens_by_keyboard_and_goes_places(page: Page) -> None:
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox")
    expect(box).to_be_focused()
    box.fill("lineage")  # the page one is on is not offered
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/lineage/$"))


def test_palette_closes_by_escape(page: Page) -> None:
    page.locator("[data-action=palette-open]").click()
    expect(page.locator("dialog.palette")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.palette")).to_be_hidden()


def test_rail_is_remembered(page: Page) -> None:
    page.locator("[data-action=rail-toggle]").click()
    expect(page.locator("html")).to_have_attribute("data-rail", "narrow")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-rail", "narrow")
    assert page.locator("#rail").bounding_box()["width"] < 90  # type: ignore[index]
    page.locator("[data-action=rail-toggle]").click()
    page.reload()
    assert page.locator("#rail").bounding_box()["width"] > 200  # type: ignore[index]


def test_theme_is_remembered(page: Page) -> None:
    page.locator("[data-action=theme-toggle]:visible").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "aifs-dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "aifs-dark")


def test_on_a_phone_the_rail_is_a_sheet(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#rail")).to_be_hidden()
    page.get_by_role("button", name="Open menu").click()
    expect(page.locator("#rail")).to_be_visible()
    expect(page.locator(".frame-body")).to_have_attribute("inert", "")
    page.keyboard.press("Escape")
    expect(page.locator("#rail")).to_be_hidden()
    expect(page.get_by_role("button", name="Open menu")).to_be_focused()


def test_on_a_phone_the_open_tab_is_seen(page: Page, stack: Stack) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{stack.access['url']}/p/main/settings/")
    tabs = page.locator(".tabs-line a")
    tabs.last.evaluate("tab => tab.click()")
    expect(page.locator(".tabs-line [aria-current=page]")).to_be_in_viewport(ratio=0.9)
    assert tabs.last.get_attribute("aria-current") == "page"


def test_language_is_kept_for_the_person(page: Page, stack: Stack) -> None:
    page.locator("summary[aria-label=Language]").first.click()
    page.get_by_role("button", name="简体中文").first.click()
    expect(page.locator("html")).to_have_attribute("lang", re.compile("zh", re.IGNORECASE))
    expect(page.get_by_role("heading", level=1)).to_have_text("概览")
    page.locator("summary[aria-label=语言]").first.click()
    page.get_by_role("button", name="English").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")


def test_skip_link_is_the_first_stop(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_nothing_inline_is_needed(page: Page) -> None:
    console = Console(page)
    page.reload()
    page.wait_for_load_state("networkidle")
    assert console.take() == []
    assert page.locator("[style], [onclick], style").count() == 0
