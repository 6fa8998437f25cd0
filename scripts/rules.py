"""House rules that no ready-made tool knows (STYLE). Each returns what it found, one line each."""

import ast
import importlib
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workers.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("aifs", "apps", "workers", "scripts", "bench", "tests")
FORBIDDEN_NAMES = {"utils", "helpers", "misc", "common", "manager", "util", "helper"}
MAX_LINES = 500
LONG_FUNCTION = 50
LONG_SHARE = 0.025
EVERYDAY = {"choices", "csv", "html", "json", "preference", "table", "text"}
"""Names of plug-ins that mean other things elsewhere."""
OUTSIDE_SETTINGS = {"AIFS_HOME", "AIFS_STOP_GRACE_S"}
"""Read before Django's settings exist; documented all the same."""


def python_files(*packages: str) -> Iterator[Path]:
    for package in packages or PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def file_names() -> list[str]:
    """No drawer for everything."""
    return [f"{place(path)}: call it by what is in it" for path in python_files() if path.stem in FORBIDDEN_NAMES]


def sizes() -> list[str]:
    """No file over 500 lines; few functions over 50."""
    found, functions, long = [], 0, []
    sources = [path for path in python_files("aifs", "apps", "workers") if "migrations" not in path.parts]
    for path in [*sources, *ROOT.glob("frontend/**/*.ts"), *ROOT.glob("tests/**/*.py")]:
        lines = len(path.read_text().splitlines())
        if lines > MAX_LINES:
            found.append(f"{place(path)}: {lines} lines; at most {MAX_LINES}")
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions += 1
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONG_FUNCTION:
                    long.append(f"{place(path)}:{node.lineno} {node.name}: {length} lines")
    if functions and len(long) / functions > LONG_SHARE:
        found += [f"{len(long)} of {functions} functions are over {LONG_FUNCTION} lines:", *long]
    return found


def migration_names() -> list[str]:
    """A migration says what it is for."""
    return [f"{place(path)}: give it a name" for path in ROOT.glob("apps/*/migrations/*_auto_*.py")]


def settings_documented() -> list[str]:
    """Every variable that is read stands in .env.example, and nothing else does."""
    read = settings_read() | OUTSIDE_SETTINGS | compose_variables()
    listed = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    missing = [f"{variable} is read but not in .env.example" for variable in sorted(read - listed)]
    return missing + [f"{variable} is in .env.example but nobody reads it" for variable in sorted(listed - read)]


def compose_variables() -> set[str]:
    """What docker-compose.yml takes from the environment; it reads .env by itself."""
    return set(re.findall(r"(?<!\$)\$\{([A-Z][A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))


def settings_read() -> set[str]:
    """Names given to the readers of aifs/environment.py in aifs/settings.py."""
    calls = (
        node for node in ast.walk(ast.parse((ROOT / "aifs/settings.py").read_text())) if isinstance(node, ast.Call)
    )
    found = set()
    for call in calls:
        reader = call.func
        if isinstance(reader, ast.Attribute) and isinstance(reader.value, ast.Name) and reader.value.id == "env":
            found |= {argument.value for argument in call.args[:1] if isinstance(argument, ast.Constant)}
    return found


def environment_reads() -> list[str]:
    """Only settings.py reads AIFS's own variables in the apps."""
    pattern = re.compile(r"^os\.(?:environ(?:\.get)?|getenv)$")
    found = []
    for path in python_files("apps"):
        for node in ast.walk(ast.parse(path.read_text())):
            source = (
                node.value if isinstance(node, ast.Subscript) else node.func if isinstance(node, ast.Call) else None
            )
            arguments = [node.slice] if isinstance(node, ast.Subscript) else node.args[:1] if source else []
            if source and pattern.match(ast.unparse(source)):
                for constant in (each.value for each in arguments if isinstance(each, ast.Constant)):
                    if str(constant) in settings_read():
                        found.append(f"{place(path)}:{node.lineno}: read {constant} in aifs/settings.py")
    return found


def inline_code() -> list[str]:
    """Templates hold no script and no style of their own; the content security policy would drop them."""
    pattern = re.compile(
        r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\b(?:src|type=\"application/json\"))", re.IGNORECASE
    )
    found = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if pattern.search(line):
                found.append(f"{place(path)}:{number}: {line.strip()[:100]}")
    return found


def plugin_names() -> list[str]:
    """`if method == "dpo"`, `case "dpo"` or `choices=["dpo"]` in a web app would have to be edited for every new
    plug-in."""
    names = {name for registry in registries() for name in registry.names()} - EVERYDAY
    found = []
    for path in (path for path in python_files("apps") if "migrations" not in path.parts):
        for node in ast.walk(ast.parse(path.read_text())):
            part = node.value if isinstance(node, ast.keyword) and node.arg == "choices" else node
            if isinstance(node, ast.Compare | ast.MatchValue) or part is not node:
                words = {each.value for each in ast.walk(part) if isinstance(each, ast.Constant)}
                found += [f"{place(path)}:{part.lineno}: names the plug-in {name}" for name in names & words]
    return sorted(found)


def registries() -> list[Registry[Any]]:
    """Every registry of plug-ins, wherever in `workers` it stands."""
    sources = [path for path in python_files("workers") if re.search(r"\]\s*=\s*Registry\(", path.read_text())]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in sources]
    modules = [importlib.import_module(name) for name in names]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Registry)]


def pinned() -> list[str]:
    """Every requirement names one version."""
    files = sorted(ROOT.glob("requirements*.txt"))
    lines = [(file.name, line.strip()) for file in files for line in file.read_text().splitlines()]
    return [f"{file}: pin {line}" for file, line in lines if line and not line.startswith("#") and "==" not in line]


def nothing_built() -> list[str]:
    """Built files are made at set-up, never committed."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    built = [
        path
        for path in tracked
        if path.startswith(("var/", "node_modules/", "static/dist/")) or path.endswith((".mo", ".pyc"))
    ]
    return [f"{path}: built files are not committed" for path in built]


RULES: dict[str, Callable[[], list[str]]] = {
    "file-names": file_names,
    "sizes": sizes,
    "names": migration_names,
    "settings": settings_documented,
    "environment": environment_reads,
    "inline": inline_code,
    "plug-ins": plugin_names,
    "pins": pinned,
    "built": nothing_built,
}
