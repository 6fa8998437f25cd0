"""What the gateway says against a request: stable codes for programs, and the reader's language for people."""

import gettext
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from apps.lms.gateway import words
from apps.lms.gateway.errors import Refusal, unknown_model
from apps.lms.gateway.words import preferred, say
from tests.factories import House
from tests.lms.serving import Gateway, make_deployment
from tests.workers.instances import Engine

WORDS = {
    "There is no model “%(name)s” in this project. Known models: %(known)s.": (
        "此项目中没有模型“%(name)s”。现有：%(known)s。"
    ),
    "The request body must be a JSON object.": "请求体必须是 JSON 对象。",
    "The API key is missing, unknown, revoked or expired.": "API 密钥缺失、未知、已吊销或已过期。",
}
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
ASK = {"model": "nobody", "messages": [{"role": "user", "content": "你好"}]}


class Catalogue(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return WORDS.get(message, message)


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A catalogue of these words. What it is asked for."""
    asked: list[str] = []
    monkeypatch.setattr(words, "catalogue", lambda language: asked.append(language) or Catalogue())
    return asked


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("ZH-hans-CN", "zh"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("fr, zh;q=0.5, en;q=0.4", "zh"),
        ("en;q=0.4, zh;q=0.5", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=0.0, en", "en"),
        ("zh;q=9, zh;q=x, ;;;,=", "en"),
        ("x" * 10_000 + ",zh", "en"),
        ("zhx, german", "en"),
    ],
)
def test_the_best_liked_language_that_we_have(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_text_without_translation_and_an_engines_own_stay(chinese: list[str]) -> None:
    assert Refusal(400, "x", "100% of %(it)s is odd.").body("zh")["error"]["message"] == "100% of %(it)s is odd."
    assert say("Odd: %(it)s", {"it": "100%"}, "zh") == "Odd: 100%"
    assert say("", {}, "zh") == ""


def test_english_reads_no_catalogue(chinese: list[str]) -> None:
    assert unknown_model("x", ["a", "b"]).body()["error"]["message"].endswith("Known models: a, b.")
    assert chinese == []


def test_the_compiled_texts_are_read_once_and_are_no_must(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words.catalogue("zh") is words.catalogue("zh")
    assert words.catalogue("zh").gettext("Cancel") == "取消"
    monkeypatch.setattr(words, "LOCALE", tmp_path)
    words.catalogue.cache_clear()
    try:
        assert words.catalogue("zh").gettext("Cancel") == "Cancel"
    finally:
        words.catalogue.cache_clear()


def test_people_read_their_language_programs_the_code(
    committed_house: House, engine: Engine, gateway: Gateway, chinese: list[str]
) -> None:
    make_deployment(committed_house.project, engines=[engine])
    client = gateway.client(committed_house.key("viewer"))

    def told(headers: dict[str, str], **request: Any) -> tuple[int, Any]:
        answer = client.post("/v1/chat/completions", headers=headers, **request)
        return answer.status_code, SimpleNamespace(**answer.json()["error"])

    status, error = told(CHINESE, json=ASK)
    assert (status, error.code, error.message) == (404, "model_not_found", "此项目中没有模型“nobody”。现有：helper。")
    status, error = told({}, json=ASK)
    assert (status, error.code, error.message[:11]) == (404, "model_not_found", "There is no")
    status, error = told(CHINESE, content=b"[]")
    assert (status, error.code, error.message) == (400, "bad_json", "请求体必须是 JSON 对象。")
    status, error = told(CHINESE | {"Authorization": "Bearer wrong"}, json=ASK)
    assert (status, error.code, error.message) == (401, "invalid_api_key", "API 密钥缺失、未知、已吊销或已过期。")
    own = ASK | {"model": "helper", "messages": []}
    assert told(CHINESE, json=own)[1].message == told({}, json=own)[1].message, "an engine's own words pass through"
    client.close()


def test_a_header_that_is_no_text_harms_nothing(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.url}/nowhere", headers={b"Accept-Language": b"\xff\xfe, zh"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_route")
