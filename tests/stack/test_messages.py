"""Every text has its translation, with the same places, and collecting finds all there is."""

import pytest
from babel.messages.catalog import Catalog, Message

from scripts import messages


def test_everything_is_translated() -> None:
    assert [line for language in messages.LANGUAGES for line in messages.problems(language)] == []


def test_texts_are_found_where_they_stand() -> None:
    catalogue = messages.collected()
    files = {file for message in catalogue if message.id for file, _line in message.locations}
    for folder in ("apps/", "workers/", "templates/"):
        assert any(file.startswith(folder) for file in files), folder
    assert ("%(count)s row", "%(count)s rows") in {message.id for message in catalogue}
    assert "Copied" in messages.island_texts()


@pytest.mark.parametrize(
    ("text", "translation", "wrong"),
    [
        ("%(rows)d rows", "%(rows)d 行", False),
        ("%(rows)d rows", "若干行", True),
        ("%(rows)d rows", "%(row)d 行", True),
        ("no places", "没有", False),
        ("{n} s", "{n} 秒", False),
        ("not yet translated %(x)s", "", False),
    ],
)
def test_places_must_agree(text: str, translation: str, wrong: bool) -> None:
    assert messages.wrong_places(Message(text, translation)) is wrong


def test_a_text_without_translation_is_named() -> None:
    catalogue = Catalog(locale="zh_Hans")
    catalogue.add("done", "完成")
    catalogue.add("open", "")
    catalogue.add(("one", "many"), ("",))
    assert [message.id for message in messages.untranslated(catalogue)] == ["open", ("one", "many")]


def test_a_text_that_moved_is_named() -> None:
    code = Catalog()
    code.add("done", locations=[("a.py", 3), ("a.py", 9), ("b.py", 1)])
    assert not messages.moved(Message("done", locations=[("a.py", None), ("b.py", None)]), code)
    assert messages.moved(Message("done", locations=[("a.py", None)]), code)


def test_writing_twice_changes_nothing(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {language: messages.po_path(language).read_bytes() for language in messages.LANGUAGES}
    folder = tmp_path / "locale"  # type: ignore[operator]
    for language in messages.LANGUAGES:
        (folder / language / "LC_MESSAGES").mkdir(parents=True)
        (folder / language / "LC_MESSAGES" / "django.po").write_bytes(before[language])
        (folder / language / "islands.json").write_bytes((messages.LOCALE / language / "islands.json").read_bytes())
    monkeypatch.setattr(messages, "LOCALE", folder)
    messages.main(["extract"])
    assert {language: messages.po_path(language).read_bytes() for language in messages.LANGUAGES} == before
    messages.main(["compile"])
    assert (folder / "zh_Hans" / "LC_MESSAGES" / "django.mo").stat().st_size > 1000
