"""`python scripts/messages.py extract|compile|check`: the texts people see, and their translations.

Babel reads them from Python, from templates (through Django's own `templatize`) and from the islands' `t("…")`, so that
no system gettext is needed. `.po` and `islands.json` are committed; `.mo` is compiled at set-up.
"""

import argparse
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
LANGUAGES = ("zh_Hans",)
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "marked": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
HEADER = """# Texts of AIFS. Written by scripts/messages.py; translate here, everything else comes from the code.
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""
PLACES = re.compile(r"%\((\w+)\)[\d.]*[sdfg]|\{(\w*)\}")
ISLAND_CALL = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')


# --- what stands in the code


def python_messages() -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    """(file, text or (one, many), context) of every marked text in Python."""
    for folder in ("aifs", "apps", "workers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            with path.open("rb") as file:
                for _line, text, _comments, context in extract("python", file, keywords=KEYWORDS):
                    yield str(path.relative_to(ROOT)), text, context


def template_messages() -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    """The same for templates. The brackets keep Python's tokenizer from minding their indentation."""
    settings.configured or settings.configure(USE_I18N=True)
    for path in sorted((ROOT / "templates").rglob("*.*")):
        if path.suffix in {".html", ".txt"}:
            code = f"({templatize(path.read_text())})"
            for _line, text, _comments, context in extract("python", io.BytesIO(code.encode()), keywords=KEYWORDS):
                yield str(path.relative_to(ROOT)), text, context


def collected(locale: str | None = None) -> Catalog:
    """Every text of the server side. Locations are files without lines, so that moving a line changes nothing."""
    catalog = Catalog(locale=locale, charset="utf-8", fuzzy=False)
    for file, text, context in [*python_messages(), *template_messages()]:
        if text:
            catalog.add(text, locations=[(file, None)], context=context)
    return catalog


def island_texts() -> list[str]:
    """Texts of the islands, in order of the alphabet."""
    found: set[str] = set()
    for path in (ROOT / "frontend").rglob("*.ts"):
        found |= {json.loads(f'"{text}"') for text in ISLAND_CALL.findall(path.read_text())}
    return sorted(found)


# --- what stands in the repository


def po_path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def read_catalogue(language: str) -> Catalog:
    path = po_path(language)
    if not path.exists():
        return Catalog(locale=language, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def read_islands(language: str) -> dict[str, str]:
    path = LOCALE / language / "islands.json"
    return json.loads(path.read_text()) if path.exists() else {}


def extract_all() -> int:
    """Bring both catalogues in step with the code: known translations stay, new texts are empty, old ones go."""
    for language in LANGUAGES:
        known = read_catalogue(language)
        fresh = collected(language)
        for message in fresh:
            before = known.get(message.id, message.context) if message.id else None
            if before is not None:
                message.string = before.string
        po_path(language).parent.mkdir(parents=True, exist_ok=True)
        with po_path(language).open("wb") as file:
            file.write(HEADER.format(language=language, plural=fresh.plural_forms).encode())
            write_po(file, fresh, width=120, sort_output=True, omit_header=True, include_lineno=False)
        words = read_islands(language)
        islands = {text: words.get(text, "") for text in island_texts()}
        text = json.dumps(islands, ensure_ascii=False, indent=2) + "\n"
        (LOCALE / language / "islands.json").write_text(text)
        missing = len(untranslated(fresh)) + sum(1 for value in islands.values() if not value)
        print(f"{language}: {len(fresh)} texts and {len(islands)} of islands, {missing} without translation")
    return 0


def compile_all() -> int:
    for language in LANGUAGES:
        with po_path(language).with_suffix(".mo").open("wb") as file:
            write_mo(file, read_catalogue(language))
    print(f"Compiled {', '.join(LANGUAGES)}.")
    return 0


# --- what could be wrong


def untranslated(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id and not all(_strings(message.string))]


def _strings(text: str | tuple[str, ...] | None) -> list[str]:
    return list(text) if isinstance(text, tuple) else [text or ""]


def places(text: str) -> set[str]:
    """Names of the places a text has, `%(name)s` or `{name}`."""
    return {a or b for a, b in PLACES.findall(text)}


def wrong_places(message: Message) -> bool:
    """True when a translation has a place the text lacks, or lacks one the text has."""
    wanted = set().union(*(places(text) for text in _strings(message.id)))
    return any(places(text) != wanted for text in _strings(message.string) if text)


def moved(message: Message, code: Catalog) -> bool:
    """True when the text is used in other files than the catalogue says."""
    now = code.get(message.id, message.context)
    return now is not None and {file for file, _line in now.locations} != {file for file, _line in message.locations}


def problems(language: str) -> list[str]:
    """Each a line: texts missing from the catalogue, left over, moved, untranslated, fuzzy, or with other places."""
    catalogue, code = read_catalogue(language), collected()
    known = {(message.id, message.context) for message in catalogue if message.id}
    used = {(message.id, message.context) for message in code if message.id}
    found = [f"not in the catalogue: {id!r}" for id, _context in sorted(used - known, key=str)]
    found += [f"no longer used: {id!r}" for id, _context in sorted(known - used, key=str)]
    found += [f"moved to another file: {message.id!r}" for message in catalogue if message.id and moved(message, code)]
    found += [f"no translation: {message.id!r}" for message in untranslated(catalogue)]
    found += [f"fuzzy: {message.id!r}" for message in catalogue if message.id and message.fuzzy]
    found += [f"other places: {message.id!r}" for message in catalogue if message.id and wrong_places(message)]
    words = read_islands(language)
    texts = set(island_texts())
    found += [f"island text without translation: {text!r}" for text in sorted(texts) if not words.get(text)]
    found += [f"island text no longer used: {text!r}" for text in sorted(set(words) - texts)]
    found += [f"island text with other places: {k!r}" for k, v in words.items() if v and places(k) != places(v)]
    return found


def check_all() -> int:
    found = [f"{language}: {line}" for language in LANGUAGES for line in problems(language)]
    for line in found:
        print(line)
    if found:
        print("Run `python scripts/messages.py extract`, then translate what is empty.")
    return 1 if found else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Collect, compile or check the texts people see.")
    parser.add_argument("command", choices=["extract", "compile", "check"])
    commands = {"extract": extract_all, "compile": compile_all, "check": check_all}
    return commands[parser.parse_args(arguments).command]()


if __name__ == "__main__":
    sys.exit(main())
