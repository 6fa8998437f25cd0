"""Answers beside each other, what each cost, and one of them kept as a test case: by hand, on a phone, in Chinese."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.looks import Console, axe, chinese, choose_language, overflow
from tests.browser.seed import World
from tests.stack.stacks import Stack


@pytest.fixture
def page(desk: BrowserContext, stack: Stack, world: World) -> Page:
    page = desk.new_page()
    page.goto(f"{stack.access['url']}/p/{world.project}/models/playground/?model={world.deployment}")
    return page


def ask(page: Page, question: str) -> Locator:
    """The lines under the answers, once all are there."""
    page.get_by_role("textbox", name="Message", exact=True).fill(question)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=60_000)
    return page.locator("[data-usage]")


def test_a_model_and_a_version_of_a_prompt_answer_beside_each_other(page: Page, world: World) -> None:
    page.get_by_role("button", name="Compare with another").click()
    page.get_by_label("Model 2").select_option(label=f"{world.prompt}:1")
    page.get_by_label("System message").fill("Answer in one word.")
    page.get_by_label("Longest answer").fill("12")
    lines = ask(page, "What is 2 plus 3?")
    expect(lines).to_have_count(2)
    for line in lines.all():
        expect(line).to_have_text(re.compile(r"\d+ tokens in .* tokens out .* all in .* at most 0\.\d+ CNY"))
    page.get_by_role("button", name="Save as test case").nth(1).click()
    dialog = page.get_by_role("dialog", name="Save as test case")
    expect(dialog.locator("[data-question]")).to_have_text("What is 2 plus 3?")
    expect(dialog.locator(".field-required")).to_have_count(0)  # a version has its own system message
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Save as test case").nth(1)).to_be_focused()


def test_an_answer_is_corrected_and_kept(page: Page, stack: Stack, world: World) -> None:
    console = Console(page)
    page.get_by_label("Longest answer").fill("12")
    ask(page, "What is 4 plus 5?")
    page.get_by_role("button", name="Save as test case").click()
    dialog = page.get_by_role("dialog", name="Save as test case")
    answer, name = dialog.get_by_label("Expected answer"), dialog.get_by_label("Dataset")
    expect(answer).to_be_focused()
    expect(name).to_have_value("Test cases")
    assert axe(page) == []
    answer.fill(" ")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator("[data-field=messages] [role=alert]")).to_contain_text("A field is empty")
    answer.fill("4 plus 5 is 9.")
    name.fill(world.dataset)
    console.take()  # the browser notes down what the server refused
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator("[data-field=name] [role=alert]")).to_contain_text("not for evaluation")
    expect(dialog.locator("[role=alert]")).to_have_count(1)
    expect(name).to_be_focused()
    assert axe(page) == []
    console.take()
    name.fill("Sums to ask")
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Saved in Sums to ask:1")
    expect(link).to_be_focused()
    assert axe(page) == [] and console.take() == []
    (dataset,) = stack.get(f"/api/v1/datasets/?project={world.project}&name=Sums%20to%20ask")["results"]
    row = stack.get(f"/api/v1/dataset-versions/{dataset['newest']}/rows/")["rows"][0]
    assert [turn["content"] for turn in row["messages"]] == ["What is 4 plus 5?", "4 plus 5 is 9."]
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sums to ask:1")


def test_on_a_phone_in_chinese(stack: Stack, world: World, browser: Browser, signed_in: str) -> None:
    context = chinese(browser, signed_in, stack)
    page = context.new_page()
    page.goto(f"{stack.access['url']}/p/{world.project}/models/playground/?model={world.deployment}")
    page.locator("chat-playground input[type=number]").last.fill("12")
    page.locator("chat-playground form textarea").fill("1 + 5 = ?")
    page.keyboard.press("Enter")
    page.locator("[data-save-case]").click(timeout=60_000)
    assert axe(page) == [] and overflow(page) == []
    page.locator(".case-dialog input").fill("算术")
    page.keyboard.press("Enter")
    expect(page.locator("[data-usage] a")).to_contain_text("算术:1")
    assert axe(page) == [] and overflow(page) == []
    choose_language(page, stack, "English")
    context.close()
