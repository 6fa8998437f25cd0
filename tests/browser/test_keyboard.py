"""The whole way by keyboard alone: palette, jumps, lists, views, forms, playground."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import START_PAGE
from tests.browser.looks import Console, axe, overflow
from tests.browser.seed import World
from tests.stack.stacks import Stack


@pytest.fixture
def page(desk: BrowserContext, stack: Stack, world: World) -> Page:
    page = desk.new_page()
    page.goto(stack.access["url"])
    page.wait_for_url(START_PAGE)
    return page


def command(page: Page, words: str) -> None:
    """Ctrl K, some letters, Enter."""
    page.keyboard.press("Control+k")
    page.keyboard.type(words)
    expect(page.locator("dialog.palette [role=option]").first).to_be_visible()
    page.keyboard.press("Enter")


def test_the_palette_starts_any_kind_of_job(page: Page) -> None:
    command(page, "gpucloud.check")
    page.wait_for_url(re.compile(r"/jobs/new/gpucloud\.check/"))


def test_the_palette_finds_artefacts_and_remembers_them(page: Page, world: World) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type(world.benchmark)
    expect(page.locator("dialog.palette [role=option]").filter(has_text=world.benchmark).first).to_be_visible()
    expect(page.locator("dialog.palette [role=group]").filter(has_text="Found")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/(data|evaluations)/[0-9a-f-]{36}/"))
    page.goto(page.url.partition("/p/")[0] + f"/p/{world.project}/")  # the page one is on is not offered
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-recent")).to_be_visible()
    assert axe(page) == []


def test_the_palette_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("[data-action=palette-open]").first.click()
    expect(page.locator("dialog.palette [role=option]").first).to_be_visible()
    assert overflow(page) == []
    page.locator("dialog.palette").get_by_role("button", name="Close").click()
    expect(page.locator("dialog.palette")).to_be_hidden()


def test_letters_go_to_areas_and_the_question_mark_lists_them(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url(re.compile(r"/jobs/$"))


def test_a_list_by_keyboard(page: Page, stack: Stack, world: World) -> None:
    console = Console(page)
    page.goto(f"{stack.access['url']}/p/{world.project}/jobs/?all=1")
    page.keyboard.press("/")
    page.keyboard.type("datasets.import")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=datasets.import"))
    links = page.locator("tr[data-href] a.link-quiet")
    links.first.focus()
    page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}/"))
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url(re.compile("q=datasets.import"))  # as it was left
    assert console.take() == []


def test_a_view_is_kept_and_opened_again(page: Page, stack: Stack, world: World) -> None:
    url = f"{stack.access['url']}/p/{world.project}/jobs/"
    page.goto(f"{url}?state=succeeded")
    page.locator(".list-tools summary").press("Enter")
    page.get_by_label("Name of this view").fill("Done")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("state=succeeded"))
    page.locator(".list-tools summary").press("Enter")
    assert axe(page) == []
    page.get_by_role("link", name="Done").click()
    page.wait_for_url(re.compile("state=succeeded"))
    page.locator(".list-tools summary").press("Enter")
    page.once("dialog", lambda question: question.accept())
    page.get_by_role("button", name="Delete the view “Done”").click()
    page.wait_for_url(re.compile("all=1"))


def test_a_form_as_yaml_and_back(page: Page, stack: Stack, world: World) -> None:
    page.goto(f"{stack.access['url']}/p/{world.project}/jobs/new/gpucloud.check/")
    page.get_by_role("button", name="YAML").press("Enter")
    area = page.get_by_label("Parameters as YAML")
    expect(area).to_have_value(re.compile("steps: 20"))
    area.fill("steps: -1\nfault: melt\n")
    expect(page.locator("[data-yaml-problems] li")).to_have_count(2)
    expect(page.locator("[data-yaml-problems]")).to_contain_text("Line 2")
    page.get_by_role("button", name="Simple").press("Enter")
    expect(area).to_be_visible()  # nothing typed is lost
    area.fill("steps: 7\nfault: crash\n")
    page.get_by_role("button", name="Expert").press("Enter")
    expect(page.locator("[data-param=steps] input")).to_have_value("7")
    expect(page.locator("[data-param=fault] select")).to_have_value("crash")


def test_four_models_beside_each_other_and_no_fifth(page: Page, stack: Stack, world: World) -> None:
    page.goto(f"{stack.access['url']}/p/{world.project}/models/playground/?model={world.deployment}")
    another = page.get_by_role("button", name="Compare with another")
    for number in (2, 3, 4):
        another.press("Enter")
        expect(page.get_by_label(f"Model {number}")).to_be_focused()
    expect(another).to_be_hidden()
    page.get_by_label("Longest answer (tokens)").fill("8")
    box = page.get_by_role("textbox", name="Message", exact=True)
    box.fill("What is 2 plus 2?")
    box.press("Control+Enter")
    expect(page.locator(".bubble[data-role=user]")).to_have_count(4)
    expect(page.locator("[data-usage]")).to_have_count(4, timeout=60_000)
    expect(page.locator("[data-usage]").first).to_contain_text("first after")
    assert axe(page) == [] and overflow(page) == []
