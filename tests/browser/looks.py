"""What every page must be: free of accessibility faults, of horizontal scrolling, of errors in the console."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from scripts import messages
from tests.stack.stacks import Stack

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
RULES = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"], "iframes": False}
COLOURS = RULES | {"runOnly": {"type": "rule", "values": ["color-contrast", "html-has-lang", "html-lang-valid"]}}
"""What may differ in another theme or language, when the same page was clean in the first."""


def axe(page: Page, rules: dict[str, Any] = RULES) -> list[str]:
    """Each fault in a line: rule, element, what to do."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())  # as the debugger does, past the content security policy
    found: dict[str, Any] = page.evaluate(f"axe.run(document, {json.dumps(rules)})")
    return [
        f"{fault['id']}: {node['target'][0]} {node['failureSummary'].splitlines()[-1].strip()}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """Elements that make the page wider than the window."""
    wider = page.evaluate(
        """() => {
            const wide = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= wide) return [];
            const clips = (e) => ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(e).overflowX);
            const inside = (e) => e.parentElement && (clips(e.parentElement) || inside(e.parentElement));
            return [...document.body.querySelectorAll('*')]
                .filter((e) => e.getBoundingClientRect().right > wide + 1 && !inside(e))
                .slice(0, 5).map((e) => e.tagName.toLowerCase() + '.' + e.className);
        }"""
    )
    return [f"wider than the window: {element}" for element in wider]


NAMES = {"Main"}
"""Of the first project, and so of its team."""


@cache
def english_texts() -> frozenset[str]:
    """Texts of the catalogue (without places) that differ in Chinese."""
    catalogue = messages.read_catalogue("zh_Hans")
    return frozenset(str(m.id) for m in catalogue if isinstance(m.id, str) and m.string != m.id and "%" not in m.id)


def english(page: Page, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Lines of a Chinese page that are as they are in English. allowed: words of the user. What is marked as one of the
    API's own names (`translate="no"`) stays."""
    lines = [page.locator("body").inner_text(), *page.locator("[translate=no]").all_inner_texts()]
    shown, *names = [{line.strip() for line in text.splitlines()} for text in lines]
    shown -= {""}.union(*names)
    return [f"English: {text}" for text in sorted((shown & english_texts()) - NAMES - allowed)]


ABORTED = ("htmx:sendAbort", "htmx:afterRequest")
"""htmx notes down a question that a newer one has replaced (hx-sync); nothing is wrong then."""


class Console:
    """Errors a page wrote, refusals of the content security policy included."""

    def __init__(self, page: Page) -> None:
        self.lines: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.lines.append(f"error: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.text.startswith(ABORTED):
            return
        if message.type == "error" or "Content Security Policy" in message.text:
            self.lines.append(f"console: {message.text}")

    def take(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines


def chinese(browser: Browser, signed_in: str, stack: Stack) -> BrowserContext:
    """A phone of the operator, dark, after choosing Chinese in the language menu."""
    context = browser.new_context(
        storage_state=signed_in,
        locale="zh-CN",
        viewport=PHONE,
        color_scheme="dark",  # type: ignore[arg-type]
    )
    page = context.new_page()
    choose_language(page, stack, "简体中文")
    page.close()
    return context


def choose_language(page: Page, stack: Stack, name: str) -> None:
    """On a phone the languages are inside the account menu."""
    page.goto(stack.access["url"] + f"/p/{stack.access['project']}/")
    page.locator("header details[data-menu] > summary:visible").last.click()
    page.locator("form[action='/language/']").last.locator("xpath=../summary").click()
    page.get_by_role("button", name=name).last.click()
    page.wait_for_function(
        "name => document.documentElement.lang.startsWith(name)", arg={"English": "en"}.get(name, "zh")
    )
