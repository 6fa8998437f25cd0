"""When the server is away, every page says so once, and says it when it is back."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, WebSocketRoute, expect

from tests.browser.looks import COLOURS, DESK, PHONE, axe, chinese, choose_language, overflow
from tests.browser.seed import World
from tests.stack.stacks import Stack

NOTE = "#connection > p"
NOTICED_MS = 30_000
BACK_FOR_MS = 8_000
SOCKETS = "**/ws/jobs/**"
POLL, ALIVE = "**/api/v1/jobs/?*active=true*", "**/health/ready"


@pytest.fixture
def page(desk: BrowserContext) -> Iterator[Page]:
    page = desk.new_page()
    yield page
    page.unroute_all(behavior="ignoreErrors")


@pytest.fixture
def start(stack: Stack, world: World) -> str:
    return f"{stack.access['url']}/p/{world.project}/"


@pytest.fixture
def running(stack: Stack, world: World, start: str) -> str:
    """The page of a job that runs: an instance of a deployment."""
    jobs = stack.get(f"/api/v1/jobs/?project={world.project}&kind=lms.serve&active=true")["results"]
    return f"{start}jobs/{jobs[0]['id']}/"


def test_a_page_says_that_the_server_is_away_and_back(desk: BrowserContext, page: Page, start: str) -> None:
    page.goto(f"{start}jobs/nodes/")
    away_and_back(desk, page)


def test_a_running_job_says_that_the_server_is_away_and_back(desk: BrowserContext, page: Page, running: str) -> None:
    page.goto(running)
    away_and_back(desk, page)
    expect(page.locator("live-job .notice")).to_have_count(0)


def away_and_back(context: BrowserContext, page: Page) -> None:
    note = page.locator(NOTE)
    page.wait_for_load_state("networkidle")
    expect(note).to_be_hidden()
    height = page.evaluate("document.querySelector('main h1').getBoundingClientRect().top")
    context.set_offline(True)
    expect(note).to_contain_text("connection is lost", timeout=NOTICED_MS)
    assert page.evaluate("document.querySelector('main h1').getBoundingClientRect().top") == height, "nothing moves"
    looks_well(page)
    context.set_offline(False)
    expect(note).to_have_text("The connection is back.", timeout=NOTICED_MS)
    assert not axe(page)
    expect(note).to_be_hidden(timeout=BACK_FOR_MS)


def looks_well(page: Page) -> None:
    for size in (PHONE, DESK):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        expect(page.locator(NOTE)).to_be_in_viewport()
        assert not overflow(page) + axe(page)


def test_it_is_said_in_chinese_on_a_dark_phone(browser: Browser, signed_in: str, stack: Stack, start: str) -> None:
    context = chinese(browser, signed_in, stack)
    page = context.new_page()
    page.goto(start)
    context.set_offline(True)
    expect(page.locator(NOTE)).to_contain_text("连接已断开", timeout=NOTICED_MS)
    assert not overflow(page) + axe(page, COLOURS)
    context.set_offline(False)
    expect(page.locator(NOTE)).to_contain_text("连接已恢复", timeout=NOTICED_MS)
    choose_language(page, stack, "English")
    context.close()


def test_what_runs_stays_on_the_pill(page: Page, start: str) -> None:
    job = {"id": "1", "state": "running", "progress": {"done": 1, "total": 4}}
    away = False

    def answer(route: Route) -> None:
        if away:
            route.fulfill(status=503, body="")
        else:
            route.fulfill(json={"results": [job]})

    for asked in (POLL, ALIVE):
        page.route(asked, answer)
    page.goto(f"{start}models/")
    expect(page.locator("jobs-pill")).to_contain_text("25 %")
    away = True
    expect(page.locator(NOTE)).to_contain_text("connection is lost", timeout=NOTICED_MS)
    expect(page.locator("jobs-pill")).to_contain_text("25 %")
    away = False
    expect(page.locator(NOTE)).to_contain_text("is back", timeout=NOTICED_MS)


def test_one_question_that_fails_for_ever_is_no_lost_connection(page: Page, start: str) -> None:
    """Its server is there, and answers the others."""
    page.route(POLL, lambda route: route.fulfill(status=503, body=""))
    with page.expect_response(POLL), page.expect_response(ALIVE):
        page.goto(f"{start}models/")
    with page.expect_response(POLL), page.expect_response(ALIVE):
        pass  # asked again
    page.wait_for_timeout(1500)
    expect(page.locator(NOTE)).to_have_text("")


class Sockets:
    """Every socket of a page; they reach the server unless it is away."""

    def __init__(self, page: Page, *, away: bool = False) -> None:
        self.away, self.open, self.made = away, [], 0
        page.route_web_socket(SOCKETS, self.meet)

    open: list[WebSocketRoute]

    def meet(self, socket: WebSocketRoute) -> None:
        self.made += 1
        if self.away:
            socket.close(code=1012)
        else:
            socket.connect_to_server()
            self.open.append(socket)

    def lose(self) -> None:
        self.away = True
        for socket in self.open:
            socket.close(code=1012)


def test_a_lost_socket_is_said_once_in_a_list(page: Page, start: str) -> None:
    sockets = Sockets(page)
    page.goto(f"{start}jobs/?state=running")
    rows: Any = page.locator("live-job")
    expect(rows.first).to_be_visible()
    page.wait_for_function("() => !!customElements.get('live-job')")
    page.wait_for_timeout(1500)
    assert sockets.made
    before = rows.first.inner_html()
    sockets.lose()
    expect(page.locator(NOTE)).to_contain_text("connection is lost")
    assert rows.first.inner_html() == before, "a row says nothing of its own"
    sockets.away = False
    expect(page.locator(NOTE)).to_contain_text("is back", timeout=NOTICED_MS)
    expect(page.locator(NOTE)).to_be_hidden(timeout=BACK_FOR_MS)


def test_a_server_that_starts_anew_at_once_is_no_news(page: Page, running: str) -> None:
    sockets = Sockets(page)
    page.goto(running)
    page.wait_for_timeout(1500)
    made = sockets.made
    sockets.open[0].close(code=1012)
    page.wait_for_timeout(2500)
    assert sockets.made > made
    expect(page.locator(NOTE)).to_be_hidden()
    expect(page.locator(NOTE)).to_have_text("")


def test_where_sockets_cannot_pass_the_page_says_how_it_goes_on(page: Page, running: str) -> None:
    sockets = Sockets(page, away=True)
    page.goto(running)
    expect(page.locator(NOTE)).to_contain_text("cannot get through")
    looks_well(page)
    sockets.away = False
    expect(page.locator(NOTE)).to_contain_text("is back", timeout=NOTICED_MS)
