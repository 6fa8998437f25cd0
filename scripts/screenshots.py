"""Photographs of every page, to be looked at: `.venv/bin/python scripts/screenshots.py`.

Starts a stack of its own, furnishes it as the browser tests do, and goes through every page of the URL map: in English
and in Chinese, at a desk and on a phone, the main ones in the dark as well. The pictures lie in var/screenshots/, one
folder a look. A page whose address is not found here is an error, so that a new one cannot be forgotten.
"""

import argparse
import os
import secrets
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("SECRET_KEY", "only-to-read-the-url-map")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aifs.settings")

import django
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from aifs.environment import ROOT
from aifs.sdk import Client
from tests.browser.conftest import FLAGS, INSTALL, find_browser, sign_in
from tests.browser.crawl import SIGNED_OUT, crawl, pages_of_the_map
from tests.browser.looks import DESK, PHONE, Console, choose_language, overflow
from tests.browser.seed import WAIT_S, World, grow_world
from tests.stack.stacks import PORTS, Stack
from tests.workers.tiny import make_model

LANGUAGES = {"en": "English", "zh": "简体中文"}
DARK = (
    "core:dashboard", "datasets:version_detail", "gpucloud:node_list", "lms:model_detail", "lms:playground",
    "lmt:run_create", "lmt:run_detail", "prompts:prompt_detail", "lms:deployment_detail", "core:lineage_detail",
)  # fmt: skip
DOCS = {
    "dashboard.png": ("en", "core:dashboard"),
    "run.png": ("en", "lmt:run_detail"),
    "cluster.png": ("en", "gpucloud:node_list"),
    "dashboard.zh.png": ("zh", "core:dashboard"),
    "import.zh.png": ("zh", "import looked at"),
    "run.zh.png": ("zh", "lmt:run_detail"),
}
"""Pictures in docs/images: what the window shows of a page."""
ROWS = (
    "\n".join(f'{{"instruction": "What is {n} plus 4?", "output": "{n} plus 4 is {n + 4}."}}' for n in range(30))
    + '\n{"instruction": "No answer?", "output": ""}\n{"instruction": "broken\n'
)
SETTLED_MS = 450
"""Islands have drawn and fonts stand by then."""


@dataclass(frozen=True)
class Scene:
    """A picture: its name, an address, and what is done before the shutter. file: what is sent to its upload."""

    name: str
    path: str
    keys: tuple[str, ...] = ()
    click: str = ""
    file: str = ""


# --- what is pictured


def pack_model(folder: Path) -> Path:
    make_model(folder / "tiny")
    with tarfile.open(folder / "tiny.tar.gz", "w:gz") as archive:
        archive.add(folder / "tiny", "tiny")
    return folder / "tiny.tar.gz"


def furnish(stack: Stack, folder: Path) -> World:
    """The world of the browser tests, and what not every day has: a failed run, more runs, an empty project."""
    world = grow_world(stack, pack_model(folder))
    access = stack.access
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        tuning = {"model": world.model, "dataset": world.dataset, "max_steps": 90, "save_steps": 30, "max_length": 128}
        for name, rate in (("sums-careful", 2e-4), ("sums-bold", 5e-3)):
            client.jobs.run("lmt.sft", tuning | {"name": name, "learning_rate": rate}).wait(timeout_s=WAIT_S)
        measure = {"suite": "dataset", "benchmark": world.benchmark, "dataset": world.dataset}
        client.evaluations.start(world.model, **measure).wait(timeout_s=WAIT_S)
        unreadable = folder / "picture.jsonl"
        unreadable.write_bytes(bytes(range(256)) * 8)
        client.datasets.import_file(unreadable, name="broken").wait(timeout_s=WAIT_S, check=False)
        client.jobs.start("gpucloud.check", {}, name="four-cards", resources={"accelerators": 4})  # which nobody has
    return world


def invite(page: Page, stack: Stack, world: World) -> str:
    """Path of an invitation, which is shown once."""
    page.goto(f"{stack.access['url']}/p/{world.project}/settings/members/")
    page.locator("form:has([name=email]) [name=email]").fill(f"colleague-{secrets.token_hex(2)}@example.com")
    page.locator("form:has([name=email]) button").click()
    link = page.locator("#invitation-link [data-copy]").first.get_attribute("data-copy") or ""
    return urlsplit(link).path


def fill_forms(page: Page, stack: Stack, world: World) -> None:
    """What the SDK cannot make: a webhook and an empty project."""
    page.goto(f"{stack.access['url']}/p/{world.project}/settings/webhooks/")
    page.locator("form [name=url]").fill("https://1.1.1.1/")
    page.locator("form [name=events]").first.check()
    page.locator("form:has([name=url]) button").click()
    page.goto(f"{stack.access['url']}/projects/new/")
    page.locator("form [name=name]").fill("Harbour")
    page.locator("main form button").click()
    page.wait_for_url("**/p/harbour/")
    page.goto(f"{stack.access['url']}/p/{world.project}/")  # the open one again


def scenes(found: dict[str, str], stack: Stack, world: World) -> Iterator[Scene]:
    """Every page, and what a page shows only after a click or in another state."""
    for name, path in found.items():
        yield Scene(name, path)
    runs = stack.get("/api/v1/jobs/?kind=lmt.sft&state=succeeded")["results"]
    run = next(row for row in runs if row["params"]["name"] == "sums-careful")
    failed = stack.get("/api/v1/jobs/?state=failed")["results"][0]
    place = f"/p/{world.project}"
    for tab in ("overview", "metrics", "logs", "files", "lineage", "spec"):
        yield Scene(f"run tab {tab}", f"{place}/tune/{run['id']}/?tab={tab}")
    yield Scene("job of a run", f"{place}/jobs/{run['id']}/")
    yield Scene("job failed", f"{place}/jobs/{failed['id']}/")
    yield Scene("import looked at", f"{place}/data/import/", file=ROWS)
    measured = stack.get("/api/v1/evaluations/")["results"]
    yield Scene("evaluations compared", f"{place}/models/evaluations/{measured[0]['id']}/?with={measured[1]['id']}")
    for tab in ("logs", "files", "lineage", "spec"):
        yield Scene(f"evaluation tab {tab}", f"{place}/models/evaluations/{measured[0]['id']}/?tab={tab}")
    for tab in ("metrics", "logs", "lineage", "spec"):
        yield Scene(f"deployment tab {tab}", f"{place}/models/deployments/{world.deployment}/?tab={tab}")
    for name in ("datasets:version_detail", "lms:version_detail", "prompts:version_detail"):
        yield Scene(f"{name} tab spec", f"{found[name]}?tab=spec")
    for name in ("lms:version_detail", "prompts:version_detail", "prompts:service_detail"):
        yield Scene(f"{name} tab lineage", f"{found[name]}?tab=lineage")
    yield Scene("tune expert", f"{place}/tune/new/", click="[data-mode-to=expert]")
    yield Scene("tune yaml", f"{place}/tune/new/", click="[data-mode-to=yaml]")
    yield Scene("palette", f"{place}/", keys=("Control+k",))
    yield Scene("shortcuts", f"{place}/", keys=("?",))
    yield Scene("nothing found", f"{place}/jobs/?q=nothing-of-this-name")
    yield Scene("not there", f"{place}/jobs/00000000-0000-0000-0000-000000000000/")
    for name in ("", "data/", "models/", "models/deployments/", "models/evaluations/", "tune/", "prompts/", "jobs/"):
        yield Scene(f"empty {name.strip('/').replace('/', ' ') or 'dashboard'}", f"/p/harbour/{name}")


# --- taking them


class Camera:
    """Puts pictures into folders, one a look, and keeps a list of what is wrong with a page by itself."""

    def __init__(self, browser: Browser, base: str, folder: Path, only: str) -> None:
        self.browser, self.base, self.folder, self.only = browser, base, folder, only
        self.wrong: list[str] = []

    def context(self, language: str, state: str | None, **look: Any) -> BrowserContext:
        locale = {"en": "en-US", "zh": "zh-CN"}[language]
        context = self.browser.new_context(storage_state=state, locale=locale, viewport=DESK, **look)
        context.set_default_timeout(20_000)
        return context

    def take(self, context: BrowserContext, look: str, scenes: list[Scene], phone: bool = True) -> None:
        page = context.new_page()
        console = Console(page)
        for scene in scenes:
            if self.only and self.only not in scene.name:
                continue
            page.set_viewport_size(DESK)  # type: ignore[arg-type]
            self.set(page, scene)
            self.shoot(page, f"{look}-desk", scene, console)
            if phone:
                page.set_viewport_size(PHONE)  # type: ignore[arg-type]
                self.shoot(page, f"{look}-phone", scene, console)
        page.close()

    def set(self, page: Page, scene: Scene) -> None:
        page.goto(self.base + scene.path)
        if scene.file:
            page.wait_for_timeout(SETTLED_MS)  # the island takes the field over
            content = {"name": "sums.jsonl", "mimeType": "text/plain", "buffer": scene.file.encode()}
            page.locator("file-upload input[type=file]").set_input_files(content)  # type: ignore[arg-type]
            page.locator("#preview h2").first.wait_for()
        if page.locator("metric-chart").count():
            page.locator("metric-chart canvas").first.wait_for()
        if scene.click:
            page.locator(scene.click).first.click()
        for key in scene.keys:
            page.keyboard.press(key)

    def illustrate(self, context: BrowserContext, language: str, scenes: list[Scene]) -> None:
        """The pictures of the documents."""
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 960})
        for file, (wanted, name) in DOCS.items():
            if wanted == language:
                self.set(page, next(scene for scene in scenes if scene.name == name))
                page.wait_for_timeout(2 * SETTLED_MS)
                page.screenshot(path=ROOT / "docs/images" / file, animations="disabled")
        page.close()

    def shoot(self, page: Page, look: str, scene: Scene, console: Console) -> None:
        page.wait_for_timeout(SETTLED_MS)
        name = scene.name.replace(":", "-").replace(" ", "-").replace("(", "").replace(")", "")
        target = self.folder / look / f"{name}.png"
        page.screenshot(path=target, full_page=not scene.keys, animations="disabled")
        heard = [line for line in console.take() if "404" not in line or scene.name != "not there"]
        self.wrong += [f"{look} {scene.name}: {line}" for line in overflow(page) + heard]


def photograph(
    stack: Stack, world: World, browser: Browser, folder: Path, only: str, fresh: bool, docs: bool
) -> list[str]:
    """All pictures; returns what is wrong by itself."""
    camera = Camera(browser, stack.access["url"], folder, only)
    context = camera.context("en", None)
    page = context.new_page()
    sign_in(page, stack)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type] # where the menu of languages is
    choose_language(page, stack, LANGUAGES["en"])
    if fresh:
        fill_forms(page, stack, world)
    found = crawl(page, stack, world)
    outside = [Scene(name, path) for name, path in SIGNED_OUT.items()]
    outside.append(Scene("core:invitation_open", invite(page, stack, world)))
    missing = pages_of_the_map() - {name.partition(" ")[0] for name in found} - {scene.name for scene in outside}
    state = str(folder / "session.json")
    context.storage_state(path=state)
    shown = list(scenes(found, stack, world))
    for language, word in LANGUAGES.items():
        choose_language(page, stack, word)
        if docs:
            camera.illustrate(camera.context(language, state), language, shown)
            continue
        camera.take(camera.context(language, state), language, shown)
        camera.take(camera.context(language, None), language, outside)
        dark = [scene for scene in shown if scene.name.partition(" ")[0] in DARK]
        camera.take(camera.context(language, state, color_scheme="dark"), f"{language}-dark", dark)
    choose_language(page, stack, LANGUAGES["en"])
    return [f"no address for the page {name}" for name in sorted(missing)] + camera.wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Photograph every page.")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "screenshots")
    parser.add_argument("--home", type=Path, help="a stack to keep: started and furnished once, left running")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    parser.add_argument("--docs", action="store_true", help="only the pictures of docs/images")
    arguments = parser.parse_args()
    browser_path = find_browser()
    if not browser_path:
        print(f"There is no Chromium on this machine ({INSTALL}).")
        return 1
    django.setup()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aifs-screenshots-") as scratch:
        ports = {name: os.environ[name] for name in PORTS if name in os.environ}
        stack = Stack(arguments.home or Path(scratch) / "home", AIFS_CPU_OVERCOMMIT="4", **ports)
        fresh = not stack.home.access.exists()
        stack.up()
        try:
            world = furnish(stack, Path(scratch)) if fresh else World(stack.access["project"])
            with sync_playwright() as play:
                browser = play.chromium.launch(executable_path=browser_path, args=FLAGS)
                wrong = photograph(stack, world, browser, arguments.folder, arguments.only, fresh, arguments.docs)
        finally:
            if not arguments.home:
                stack.down()
    taken = sum(1 for _ in arguments.folder.glob("*/*.png"))
    print("\n".join([*wrong, f"{taken} pictures in {arguments.folder}, {time.monotonic() - began:.0f} s"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
