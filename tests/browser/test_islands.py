"""Islands at work on real jobs: logs, charts, the live channel when the server goes away, uploads that are refused."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.seed import World
from tests.stack.stacks import Stack

LINES = 1_000_000


@pytest.fixture
def page(desk: BrowserContext) -> Page:
    return desk.new_page()


def job_url(stack: Stack, world: World, kind: str, tab: str = "") -> str:
    job = stack.get(f"/api/v1/jobs/?project={world.project}&kind={kind}")["results"][0]
    return f"{stack.access['url']}/p/{world.project}/jobs/{job['id']}/?tab={tab}"


def test_a_log_can_be_read_and_searched(page: Page, stack: Stack, world: World) -> None:
    page.goto(job_url(stack, world, "lmt.sft", "logs"))
    lines = page.locator("log-tail .log-line")
    expect(lines.first).to_be_visible()
    page.get_by_role("searchbox", name="Find in log").fill("rows to learn from")
    expect(page.locator("log-tail [role=status]")).to_have_text("1 lines")
    expect(page.locator("log-tail mark")).to_have_text("rows to learn from")
    page.get_by_role("searchbox", name="Find in log").fill("nobody wrote this")
    expect(lines).to_have_count(0)


def test_a_log_of_a_million_lines_opens_at_its_end(page: Page, stack: Stack, world: World) -> None:
    asked: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        asked.append(query)
        start = LINES - int(query["tail"]) if "tail" in query else int(query["after"])
        end = min(start + int(query.get("limit", query.get("tail", "500"))), LINES)
        rows = [{"line": n, "t": 1.0, "level": "info", "message": f"line {n}"} for n in range(start + 1, end + 1)]
        route.fulfill(json={"lines": rows, "next": end if end < LINES else None, "previous": start, "last": LINES})

    page.route("**/logs/?*", answer)
    page.goto(job_url(stack, world, "datasets.import", "logs"))
    expect(page.locator("log-tail")).to_contain_text(f"line {LINES}")
    assert [set(query) for query in asked] == [{"tail"}], "one window, not the whole"
    assert page.locator("log-tail .log-line").count() < 200
    page.locator(".log-box").evaluate("box => box.scrollTop = 0")
    expect(page.locator("log-tail .log-line").first).to_contain_text("line 1")
    expect(page.locator("log-tail input[type=checkbox]")).not_to_be_checked()
    page.locator(".log-box").evaluate("box => box.scrollTop = box.scrollHeight / 2")
    expect(page.locator("log-tail")).to_contain_text(re.compile("line (49|50)[0-9]{4}"))
    assert len(asked) < 12


def test_every_series_has_a_chart_with_words(page: Page, stack: Stack, world: World) -> None:
    page.goto(job_url(stack, world, "lmt.sft", "metrics"))
    place = urlsplit(page.url).path.replace(f"/p/{world.project}/", "/api/v1/")
    names = {name for name in stack.get(place + "metrics/")["series"] if not name.startswith("device.")}
    charts = page.locator("metric-chart figure:has(button)")
    expect(charts).to_have_count(len(names))
    table = page.locator("metric-chart figure", has_text="Learning rate").first.locator("tbody tr")
    expect(table.nth(1)).to_be_attached()  # its figures come after it
    page.get_by_role("button", name="Log scale").first.click()
    expect(page.get_by_role("button", name="Log scale").first).to_have_attribute("aria-pressed", "true")


def test_checkpoints_are_marked_on_the_chart(page: Page, stack: Stack, world: World) -> None:
    page.goto(job_url(stack, world, "lmt.sft", "metrics"))
    marks = page.locator("metric-chart figure").first.locator(".chart-marker")
    expect(marks).to_have_count(2)
    step = marks.first.get_attribute("href")
    marks.first.click(force=True)
    expect(page.locator(str(step))).to_be_focused()


def test_a_chart_of_a_million_points_asks_for_what_it_shows(page: Page, stack: Stack, world: World) -> None:
    asked: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        asked.append(query)
        first, last = int(query.get("from", 1)), int(query.get("to", 1_000_000))
        steps = list(range(first, last + 1, max(1, (last - first) // int(query["points"]))))
        series = {"steps": steps, "values": [1 / step for step in steps], "times": steps, "thinned": True}
        route.fulfill(json={"series": {"loss": series}})

    page.route("**/metrics/?*", answer)
    page.goto(job_url(stack, world, "lmt.sft", "metrics"))
    expect(page.locator("metric-chart .chart-value").first).not_to_have_text("")
    over = page.locator("metric-chart .u-over").first
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50, steps=5)
    page.mouse.up()
    page.wait_for_timeout(800)
    assert 350_000 < int(asked[-1]["from"]) < 450_000 < int(asked[-1]["to"]) < 550_000


def test_a_lost_connection_is_said_and_mended(page: Page, stack: Stack, world: World) -> None:
    page.goto(job_url(stack, world, "lms.serve&active=true"))
    note = page.locator("#connection > p")
    expect(note).to_be_hidden()
    page.wait_for_timeout(500)
    killed = stack.kill("web")
    expect(note).to_contain_text("connection is lost", timeout=15_000)
    stack.wait_for_others(killed)
    expect(note).to_be_hidden(timeout=40_000)


def test_a_refused_upload_says_why(page: Page, stack: Stack, world: World, tmp_path: Path) -> None:
    page.goto(f"{stack.access['url']}/p/{world.project}/data/import/")
    problem = {"title": "Too large", "detail": "The file is larger than 1 bytes.", "code": "too_large", "status": 400}
    page.route(
        "**/api/v1/uploads/",
        lambda route: route.fulfill(status=400, content_type="application/problem+json", body=json.dumps(problem)),
    )
    file = tmp_path / "a.jsonl"
    file.write_text('{"instruction": "a", "output": "b"}\n')
    page.locator("file-upload .drop-zone input").set_input_files(file)
    expect(page.locator("file-upload [role=alert]")).to_contain_text("larger than 1 bytes")
    page.unroute("**/api/v1/uploads/")
    page.locator("file-upload .drop-zone input").set_input_files(file)
    expect(page.locator("file-upload")).to_contain_text("uploaded")


def test_an_interrupted_upload_goes_on(page: Page, stack: Stack, world: World, tmp_path: Path) -> None:
    page.goto(f"{stack.access['url']}/p/{world.project}/data/import/")
    failures = iter([True, False])
    page.route(
        re.compile(r"/api/v1/uploads/[0-9a-f-]+/$"),
        lambda route: route.abort() if route.request.method == "PATCH" and next(failures, False) else route.continue_(),
    )
    file = tmp_path / "a.jsonl"
    file.write_text('{"instruction": "a", "output": "b"}\n' * 1000)
    page.locator("file-upload .drop-zone input").set_input_files(file)
    expect(page.locator("file-upload")).to_contain_text("uploaded", timeout=20_000)


def test_a_chat_that_fails_keeps_the_question(page: Page, stack: Stack, world: World) -> None:
    page.goto(f"{stack.access['url']}/p/{world.project}/models/playground/")
    page.route("**/ask/", lambda route: route.fulfill(status=503, json={"error": {"message": "Nobody is ready."}}))
    page.get_by_role("textbox", name="Message", exact=True).fill("Hello?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("chat-playground [role=alert]")).to_have_text("Nobody is ready.")
    expect(page.locator(".bubble[data-role=user]")).to_have_text("Hello?")
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_an_empty_answer_is_counted_all_the_same(page: Page, stack: Stack, world: World) -> None:
    page.goto(f"{stack.access['url']}/p/{world.project}/models/playground/")
    last = {"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    body = f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n"
    page.route("**/ask/", lambda route: route.fulfill(status=200, content_type="text/event-stream", body=body))
    page.get_by_role("textbox", name="Message", exact=True).fill("Hello?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("chat-playground [role=alert]")).to_have_text("The model gave no answer.")
    expect(page.locator("[data-usage]")).to_contain_text("1 tokens out")
