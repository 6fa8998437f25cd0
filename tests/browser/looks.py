"""What every page must be: free of accessibility faults, of horizontal scrolling, of errors in the console."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
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
