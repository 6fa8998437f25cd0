"""The main job as a person does it: sign in, import a file, fine-tune in simple mode, watch, deploy, chat, publish."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import sign_in
from tests.browser.looks import Console
from tests.browser.seed import World, write_instructions
from tests.stack.stacks import Stack

JOB_MS = 240_000
DATASET, TUNED, DEPLOYMENT, PROMPT = "by-hand", "tiny-by-hand", "by-hand-live", "by-hand-helper"


def test_main_job(browser: Browser, stack: Stack, world: World, tmp_path: Path) -> None:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    console = Console(page)
    sign_in(page, stack)
    import_file(page, write_instructions(tmp_path / "sums.jsonl"))
    fine_tune(page, world.model)
    deploy(page)
    chat(page)
    publish(page)
    wrong = console.take()
    assert not wrong, "\n".join(wrong)
    context.close()


def import_file(page: Page, path: Path) -> None:
    go(page, "Data")
    page.get_by_role("link", name="Import data").click()
    page.locator("file-upload .drop-zone input").set_input_files(path)
    expect(page.locator("file-upload")).to_contain_text("uploaded")
    expect(page.locator("#preview")).to_contain_text("What is 1 plus 1?")
    expect(page.locator("#preview")).to_contain_text("for the quarantine")
    page.get_by_label("Dataset name").fill(DATASET)
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile(r"/jobs/"))
    wait_until_succeeded(page)
    page.get_by_role("link", name=f"Open {DATASET}:1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(DATASET)


def fine_tune(page: Page, model: str) -> None:
    go(page, "Tune (LMT)")
    page.get_by_role("link", name="Fine-tune a model").click()
    page.get_by_label("Base model", exact=True).select_option(label=f"{model}:1")
    page.get_by_label("Training data", exact=True).select_option(label=f"{DATASET}:1")
    page.get_by_label("Name of the new model", exact=True).fill(TUNED)
    keeps_what_was_typed(page)
    page.get_by_role("radio", name="Quick").check()
    page.get_by_role("button", name="Start fine-tuning").click()
    page.wait_for_url(re.compile(r"/tune/[0-9a-f-]{36}/"))
    wait_until_succeeded(page)
    expect(page.locator("metric-chart canvas").first).to_be_visible()
    expect(page.locator("metric-chart table tbody tr").first).to_be_attached()


def keeps_what_was_typed(page: Page) -> None:
    """Expert and back again; a changed parameter is marked, and one click brings its default back."""
    page.get_by_role("button", name="Expert").click()
    seed = page.locator("[data-param=seed] input")
    before = seed.input_value()
    seed.fill("7")
    expect(page.locator("[data-changed-count]")).to_have_text("1 changed")
    page.get_by_role("button", name="Simple").click()
    expect(seed).to_be_hidden()
    expect(page.get_by_label("Name of the new model", exact=True)).to_have_value(TUNED)
    page.get_by_role("button", name="Expert").click()
    expect(seed).to_have_value("7")
    page.locator("[data-param=seed] [data-reset]").click()
    expect(seed).to_have_value(before)
    page.get_by_role("searchbox", name="Find a parameter").fill("learning rate")
    expect(page.locator("[data-param=learning_rate]")).to_be_visible()
    expect(seed).to_be_hidden()
    page.get_by_role("button", name="Simple").click()


def deploy(page: Page) -> None:
    page.get_by_role("link", name="Deploy", exact=True).click()
    page.get_by_label("Name", exact=True).fill(DEPLOYMENT)
    expect(page.get_by_label("Model", exact=True)).to_contain_text(TUNED)
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.wait_for_url(re.compile(f"/deployments/{DEPLOYMENT}/"))
    expect(page.locator("[data-state=ready]").first).to_be_visible(timeout=JOB_MS)


def chat(page: Page) -> None:
    page.get_by_role("link", name="Open in playground").click()
    page.get_by_label("Longest answer (tokens)").fill("16")
    ask(page, "What is 2 plus 2?")
    expect(page.locator("[data-usage]").last).to_contain_text("tokens out")


def ask(page: Page, question: str) -> None:
    """Any answer will do: the model under test knows nothing."""
    page.get_by_role("textbox", name="Message", exact=True).fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".bubble[data-role=user]").last).to_have_text(question)
    expect(page.locator("[data-usage]").last).to_be_visible(timeout=60_000)


def publish(page: Page) -> None:
    go(page, "Prompts")
    page.get_by_role("link", name="New prompt").first.click()
    page.get_by_label("Name", exact=True).fill(PROMPT)
    page.get_by_role("button", name="Create prompt").click()
    page.get_by_role("textbox", name="Message 1").fill("You add numbers.")
    page.get_by_role("textbox", name="Message 2").fill("Answer briefly: {{ question }}")
    expect(page.locator("tr[data-name=question]")).to_be_visible()
    page.get_by_label("Deployment").select_option(label=DEPLOYMENT)
    page.get_by_label("Longest answer (tokens)").fill("12")
    page.get_by_role("button", name="Save as version 1").click()
    expect(page.get_by_role("button", name="Save as version 2")).to_be_visible()
    page.get_by_role("link", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish this version").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"prompt/{PROMPT}")
    page.get_by_role("link", name="Open chat page").click()
    ask(page, "What is 3 plus 1?")


def go(page: Page, area: str) -> None:
    page.locator("#rail").get_by_role("link", name=area, exact=True).click()


def wait_until_succeeded(page: Page) -> None:
    """Without touching the page: it keeps itself fresh."""
    badge = page.locator("live-job [data-live=state] .badge-state").first
    expect(badge).to_have_attribute("data-state", re.compile("succeeded|failed|cancelled"), timeout=JOB_MS)
    expect(badge).to_have_attribute("data-state", "succeeded")
