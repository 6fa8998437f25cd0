"""A whole stack, a browser, and people in it. Without a browser every test here is skipped and says so."""

import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.seed import World, grow_world
from tests.stack.stacks import Stack
from tests.workers.tiny import make_model

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps a loop in this thread
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first draws pages like the others and nothing around them, for half of the work."""
INSTALL = "apt-get install chromium-headless-shell fonts-noto-cjk"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
START_PAGE = re.compile(r"/p/[\w-]+/$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in Path(item.fspath).parts:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(900))


def find_browser() -> str | None:
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def browser_path() -> str:
    found = find_browser()
    if not found:
        pytest.skip(f"there is no Chromium on this machine ({INSTALL})")
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_path: str) -> dict[str, Any]:
    return {"executable_path": browser_path, "args": FLAGS, "headless": True}


@pytest.fixture(scope="session")
def stack(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An embedded stack of its own, as `make up` starts it."""
    home, prices = tmp_path_factory.mktemp("browser") / "home", {"AIFS_CURRENCY": "CNY", "AIFS_PRICE_CORE_HOUR": "0.5"}
    stack = Stack(home, AIFS_CPU_OVERCOMMIT="4", **prices)
    stack.up()
    yield stack
    stack.down()


@pytest.fixture(scope="session")
def model_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random 2-layer model, packed as a user would upload it."""
    folder = tmp_path_factory.mktemp("model")
    make_model(folder / "tiny")
    with tarfile.open(folder / "tiny.tar.gz", "w:gz") as archive:
        archive.add(folder / "tiny", "tiny")
    return folder / "tiny.tar.gz"


@pytest.fixture(scope="session")
def world(stack: Stack, model_archive: Path) -> World:
    """A project in which everything of the main job exists once."""
    return grow_world(stack, model_archive)


@pytest.fixture(scope="session")
def signed_in(stack: Stack, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Cookies of the operator, as a file for new contexts."""
    context = browser.new_context(locale="en-US")
    sign_in(context.new_page(), stack)
    path = str(tmp_path_factory.mktemp("session") / "state.json")
    context.storage_state(path=path)
    context.close()
    return path


def sign_in(page: Page, stack: Stack) -> None:
    access = stack.access
    page.goto(access["url"] + "/")
    page.get_by_label("Email").fill(access["username"])
    page.get_by_label("Password", exact=True).fill(access["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(START_PAGE)


@pytest.fixture
def desk(browser: Browser, signed_in: str) -> Iterator[BrowserContext]:
    """A desktop browser of the operator."""
    context = browser.new_context(storage_state=signed_in, viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(20_000)
    yield context
    context.close()
