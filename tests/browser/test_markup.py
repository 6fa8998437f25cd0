"""Markup in whatever people and programs may name: in a real browser it is text, and nothing of it runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page

from aifs.sdk import Client
from tests.browser.seed import WAIT_S
from tests.stack.stacks import Stack

PAYLOADS = [
    "<script>window.hurt=1</script>",
    "<img src=x onerror=window.hurt=1>",
    "<svg onload=window.hurt=1><a href='javascript:window.hurt=1'>x</a></svg>",
    "\"'><svg/onload=window.hurt=1>",
    "</textarea></script><script>window.hurt=1</script>",
    "<iframe srcdoc='<script>parent.hurt=1</script>'></iframe>",
    "[click](javascript:window.hurt=1) ![x](javascript:window.hurt=1) <javascript:window.hurt=1>",
    "<details open ontoggle=window.hurt=1><style>*{display:none}</style>",
    "<form action=//evil.example><button>x</button></form><base href=//evil.example>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.hurt=1>",
    "<a href='data:text/html,<script>opener.hurt=1</script>' target=_blank>x</a>",
    "{{constructor.constructor('window.hurt=1')()}} ${window.hurt=1}",
]
ALL = " ".join(PAYLOADS)
SHORT = "<img src=x onerror=hurt=1>"
PROMPT = "soiled"


@pytest.fixture(scope="module")
def soiled(stack: Stack, model_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Pages by name that show what was soiled."""
    access = stack.access
    rows = [{"instruction": payload, "output": ALL} for payload in PAYLOADS] + [{SHORT: "x", "instruction": "y"}]
    file = tmp_path_factory.mktemp("markup") / "x<img src=x onerror=hurt=1>.jsonl"
    file.write_text("\n".join([*(json.dumps(row) for row in rows), "{broken " + ALL]))
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        model = client.models.import_file(model_archive, name="soiled-model", licence="x")
        data = client.datasets.import_file(file, name="soiled <b>x", description=ALL)
        for job in (model, data):
            job.wait(timeout_s=WAIT_S)
        version = client.get("dataset-versions/", name="soiled <b>x")["results"][0]
        soil(client, version["id"])
        check = client.post("jobs/", {"kind": "gpucloud.check", "params": {"steps": 1}, "name": SHORT + ALL[:150]})
    base = f"{access['url']}/p/{access['project']}/"
    pages = {
        "dashboard": "", "datasets": "data/", "models": "models/", "model": "models/m/soiled-model/",
        "version": "models/m/soiled-model/v/1/", "evaluations": "models/evaluations/", "tuning": "tune/",
        "new tuning": "tune/new/", "prompts": "prompts/", "prompt": f"prompts/e/{PROMPT}/",
        "versions": f"prompts/e/{PROMPT}/versions/", "prompt version": f"prompts/e/{PROMPT}/versions/1/",
        "prompt spec": f"prompts/e/{PROMPT}/versions/1/?tab=spec", "data spec": f"data/{version['id']}/?tab=spec",
        "jobs": "jobs/", "job": f"jobs/{check['id']}/",
        "import": f"jobs/{data.id}/", "log": f"jobs/{data.id}/?tab=logs", "spec": f"jobs/{data.id}/?tab=spec",
        "keys": "settings/keys/", "project": "settings/", "members": "settings/members/", "audit": "audit/",
        "artefacts": "lineage/", "lineage": f"lineage/dataset_version/{version['id']}/",
        "playground": "models/playground/?model=" + SHORT, "search": "search/?q=" + SHORT,
        "list search": "data/?q=" + SHORT, "rows": f"data/{version['id']}/", "row table": f"data/{version['id']}/rows/",
        "bad rows": f"data/{version['id']}/quarantine/", "clean": f"data/{version['id']}/clean/",
    }  # fmt: skip
    return {name: base + path for name, path in pages.items()}


def soil(client: Any, rows: str) -> None:
    """Put the payloads into every text that somebody may write."""
    model = client.get("models/", name="soiled-model")["results"][0]
    client.patch(f"models/{model['id']}/", {"description": ALL, "licence": SHORT})
    weights = client.get("model-versions/", model="soiled-model")["results"][0]
    client.patch(f"model-versions/{weights['id']}/", {"card": f"# {ALL}\n\n" + "\n\n".join(PAYLOADS)})
    prompt = client.post("prompts/", {"name": PROMPT})
    client.patch(f"prompts/{prompt['id']}/", {"description": ALL})
    variable = {"name": "question", "type": "choice", "label": ALL[:100], "choices": PAYLOADS, "primary": True}
    message = {"role": "user", "content": ALL.replace("{{", "{ {") + "{{ question }}"}
    content = {"messages": [message], "variables": [variable]}
    client.post("prompt-versions/", {"prompt": PROMPT, "note": ALL[:150], **content})
    project = client.get("projects/")["results"][0]
    client.patch(f"projects/{project['id']}/", {"description": ALL})
    client.post("api-keys/", {"name": ALL[:110], "rights": ["view"]})
    for type, id in (("dataset_version", rows), ("model_version", weights["id"])):
        for text in (ALL, "\n".join(PAYLOADS)):  # more in one minute are refused
            client.post("comments/", {"type": type, "object_id": id, "text": text})


@pytest.fixture
def page(desk: BrowserContext) -> Iterator[Page]:
    page = desk.new_page()
    page.add_init_script("window.addEventListener('securitypolicyviolation', () => { window.stopped = true })")
    page.asked, page.dialogs = [], []  # type: ignore[attr-defined]
    page.on("request", lambda request: page.asked.append(request.url))  # type: ignore[attr-defined]
    page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))  # type: ignore[attr-defined]
    yield page
    assert not page.dialogs  # type: ignore[attr-defined]
    assert not [url for url in page.asked if "evil" in (urlsplit(url).hostname or "")]  # type: ignore[attr-defined]


def test_markup_is_text(page: Page, soiled: dict[str, str]) -> None:
    shown = set()
    for name, url in soiled.items():
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 200, (name, answer.status)
        page.wait_for_load_state("networkidle")
        assert inert(page) == [], name
        if "onerror" in page.locator("body").inner_text():
            shown.add(name)
    assert len(shown) >= 12, f"the payloads were shown only on {shown}"
    assert {"version", "rows", "bad rows", "jobs"} <= shown


def inert(page: Page) -> list[str]:
    """What of the payloads became more than text, or was stopped only by the policy."""
    return page.evaluate(
        """() => [
          ...(window.hurt ? ["ran"] : []), ...(window.stopped ? ["stopped by the policy"] : []),
          ...[...document.querySelectorAll("a[href], form[action], iframe, object, embed, base")]
            .filter((e) => /^(javascript|data):/i.test((e.getAttribute("href") || "").trim())
              || /evil/.test(e.getAttribute("action") || "") || /^(IFRAME|OBJECT|EMBED|BASE)$/.test(e.tagName))
            .map((e) => e.outerHTML),
          ...[...document.querySelectorAll("*")]
            .filter((e) => [...e.attributes].some((a) => /^on/i.test(a.name))).map((e) => e.outerHTML),
          ...[...document.querySelectorAll("mglyph, math, details[ontoggle], img[src=x]")].map((e) => e.outerHTML),
        ]"""
    )


def test_lines_of_a_log_are_text(page: Page, soiled: dict[str, str]) -> None:
    """What a run writes comes to the browser as JSON and is put into the page there."""
    lines = [{"line": n, "t": 1.0, "level": "output", "message": text} for n, text in enumerate(PAYLOADS, start=1)]
    page.route(
        "**/logs/?*", lambda route: route.fulfill(json={"lines": lines, "next": None, "previous": 0, "last": 12})
    )
    page.goto(soiled["log"])
    page.locator("log-tail .log-line", has_text="onerror").first.wait_for()
    assert page.locator("log-tail .log-line", has_text="hurt").count() >= 8
    assert inert(page) == []


def test_the_palette_and_its_search_are_text(page: Page, soiled: dict[str, str]) -> None:
    page.goto(soiled["dashboard"])
    page.keyboard.press("Control+k")
    page.keyboard.type("soiled")
    page.wait_for_timeout(1500)
    assert inert(page) == []


def test_a_file_of_a_stranger_is_no_page(desk: BrowserContext, soiled: dict[str, str]) -> None:
    """Downloads are attachments: nothing that was sent in is shown under our own address."""
    answer = desk.request.get(soiled["rows"] + "export/?format=jsonl")
    assert answer.status == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "text/html" not in answer.headers["content-type"]


def test_a_file_of_a_model_is_no_page(stack: Stack, desk: BrowserContext, soiled: dict[str, str]) -> None:
    """Whatever its name says, it is bytes to keep."""
    place = f"{stack.access['url']}/api/v1/model-versions/"
    version = desk.request.get(f"{place}?model=soiled-model").json()["results"][0]["id"]
    answer = desk.request.get(f"{place}{version}/files/config.json/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_even_a_script_tag_in_a_page_would_not_run(page: Page, soiled: dict[str, str]) -> None:
    """The second wall: what is put into a page inline is stopped by the policy."""
    page.goto(soiled["dashboard"])
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.hurt=1>')")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.hurt=1'; document.body.append(s) }"
    )
    page.wait_for_timeout(500)
    assert page.evaluate("window.hurt === undefined")
    assert page.evaluate("window.stopped === true"), "the test would not see a policy that stops something"
