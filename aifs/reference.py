"""The pages of docs/reference/ that are made from code: job kinds, settings, the command. `manage.py build_docs` writes
them and `make check` compares."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aifs.environment import ROOT, variables
from aifs.sdk.cli import parser
from workers.kinds import Kind, kinds

FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by `python manage.py build_docs`; change the code instead. -->\n\n"


def job_kinds() -> str:
    """One section a kind: what it does and every parameter, from its docstring and its `Params`."""
    intro = "# Job kinds\n\nStart one with `aifs job start KIND --param name=value`, or `POST /api/v1/jobs/`.\n"
    return MADE + intro + "".join(_kind(kind) for _name, kind in kinds.items())


def _kind(kind: Kind) -> str:
    facts = ["a service: runs until it is stopped"] if kind.service else []
    facts.append("a business expert may start it" if kind.simple else "needs the right to run all jobs")
    head = f"\n## {kind.name}\n\n{kind.label}. {_paragraph(kind.doc)}\n\n{'; '.join(facts).capitalize()}.\n\n"
    schema = kind.params.model_json_schema()
    required = set(schema.get("required", []))
    rows = [_row(name, field, schema, name in required) for name, field in schema.get("properties", {}).items()]
    return head + _table(["Parameter", "Meaning", "Values", "Default"], rows)


def _row(name: str, field: dict[str, Any], schema: dict[str, Any], required: bool) -> list[str]:
    meaning = ". ".join(part.rstrip(".") for part in (field.get("title", ""), field.get("description", "")) if part)
    default = "required" if required else f"`{field.get('default')!r}`".replace("`None`", "").replace("`''`", "")
    return [f"`{name}`", meaning, _values(field, schema), default]


def _values(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Type, choices, range and unit in a few words."""
    if field.get("artefact"):
        return f"a {field['artefact'].replace('_', ' ')}: id, name or name:version"
    if field.get("upload"):
        return "an upload's id"
    if choices := field.get("choices") or field.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices if choice != "") + (" or empty" if "" in choices else "")
    options = [_type(option, schema) for option in field.get("anyOf", [field])]
    limits = {"exclusiveMinimum": "> ", "minimum": "≥ ", "exclusiveMaximum": "< ", "maximum": "≤ "}
    ranges = [f"{sign}{field[key]}" for key, sign in limits.items() if key in field]
    words = [" or ".join(option for option in options if option != "null"), *ranges, field.get("unit", "")]
    return ", ".join(word for word in words if word)


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if reference := field.get("$ref"):
        return _type(schema["$defs"][reference.rpartition("/")[2]], schema)
    if field.get("enum"):
        return " ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), schema)}"
    return str(field.get("type", "any"))


def settings() -> str:
    """`.env.example` as a page: its headings, its comments, its defaults."""
    text = MADE + "# Settings\n\nEach is an environment variable; `.env.example` is the file to copy.\n"
    for heading, rows in variables().items():
        cells = [[f"`{row.name}`", f"`{row.default}`" if row.default else "", row.meaning] for row in rows]
        text += f"\n## {heading}\n\n{_table(['Variable', 'Default', 'Meaning'], cells)}"
    return text


def command() -> str:
    """Every command of `aifs` with its arguments, from its parser."""
    intro = (
        "# The `aifs` command\n\nIt lies in `.venv/bin/aifs`; `python -m aifs.sdk` is the same. Every command\n"
        "takes `--json` (the last line of standard output is one JSON value), `--project`, `--url` and `--key`.\n"
    )
    return MADE + intro + _commands(parser())


def _commands(tree: argparse.ArgumentParser, purpose: str = "") -> str:
    groups = [action for action in tree._actions if isinstance(action, argparse._SubParsersAction)]
    if groups:
        helps = {choice.dest: choice.help or "" for group in groups for choice in group._choices_actions}
        children = [(child, helps.get(name, "")) for group in groups for name, child in group.choices.items()]
        return "".join(_commands(child, purpose) for child, purpose in children)
    rows = [
        [f"`{', '.join(action.option_strings) or action.metavar or action.dest}`", action.help or ""]
        for action in tree._actions
        if action.dest not in EVERYWHERE
    ]
    table = "\n" + _table(["Argument", "Meaning"], rows) if rows else ""
    words = _paragraph(tree.description or purpose).rstrip(".")
    return f"\n## {tree.prog}\n\n{words[:1].upper()}{words[1:]}.\n{table}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _paragraph(text: str) -> str:
    return " ".join(text.split())


EVERYWHERE = {"help", "json", "project", "url", "key"}
PAGES: dict[str, Callable[[], str]] = {"job-kinds.md": job_kinds, "settings.md": settings, "command.md": command}


def drift(folder: Path = FOLDER) -> list[str]:
    """Names of pages that differ from what the code says."""
    return [
        name for name, build in PAGES.items() if not (folder / name).exists() or (folder / name).read_text() != build()
    ]
