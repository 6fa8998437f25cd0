"""From the name of a URL to the code behind it: view, services, template, button and test (`manage.py where`)."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from aifs.environment import ROOT


@dataclass(frozen=True)
class Place:
    """One line of the answer: what it is, where it stands, and its name."""

    what: str
    path: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.what:<9} {self.path}:{self.line}  {self.name}"


@dataclass(frozen=True)
class Url:
    """A named URL. route: its whole pattern, with `<…>` or regular expressions where values go."""

    name: str
    route: str
    view: Callable[..., Any]

    @property
    def is_deed(self) -> bool:
        """Whether only POST is answered."""
        kept = inspect.getclosurevars(self.view).nonlocals if inspect.isfunction(self.view) else {}
        return kept.get("request_method_list") == ["POST"]


def urls() -> dict[str, Url]:
    """Every named URL, by name."""
    return {url.name: url for url in _walk(get_resolver().url_patterns, "", "")}


def _walk(patterns: list[Any], namespace: str, before: str) -> Iterator[Url]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, inner, route)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield Url(namespace + pattern.name, route, pattern.callback)


def places(url: Url) -> list[Place]:
    """Everything about one URL, in the order of a request."""
    view = url.view
    inner = inspect.unwrap(getattr(view, "view_class", None) or getattr(view, "cls", None) or view)
    path, line = _position(inner)
    found = [Place("view", path, line, inner.__name__)]
    module = inspect.getmodule(inner)
    tree = _tree(inner, module)
    for dotted in _calls(tree):
        if (service := _resolve(module, dotted)) and ".services" in service.__module__:
            found.append(Place("service", *_position(service), service.__name__))
    for template in _strings(tree, r"[\w/]+\.html"):
        if (ROOT / "templates" / template).exists():
            found.append(Place("template", f"templates/{template}", 1, template))
    found += _mentions("button", "templates", "*.html", rf"{{%\s*url\s+[\"']{url.name}[\"']")
    return found + tests(url)


def _tree(function: Callable[..., Any], module: Any) -> ast.Module:
    """What a view does: its own lines, then those of the private functions beside it that it calls."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    for name in dict.fromkeys(name for name in _calls(tree) if name.startswith("_")):
        beside = _resolve(module, name)
        if beside is not None and inspect.getmodule(beside) is module:
            tree.body += ast.parse(inspect.getsource(beside)).body
    return tree


def tests(url: Url) -> list[Place]:
    """The test file that carries the name, else tests that use the name, the path, or the path's tail below a base
    that the app's tests keep in a variable."""
    app, _, name = url.name.rpartition(":")
    named = [path for path in (ROOT / "tests").rglob(f"test_{name}.py") if not app or app in path.parts]
    if named:
        return [Place("test", _relative(path), 1, path.stem) for path in named]
    inside = f"tests/{app or _app(url)}"
    return (
        _mentions("test", "tests", "*.py", rf"[\"']{url.name}[\"']")
        or _mentions("test", "tests", "*.py", f"/{_as_used(url.route)}[\"'?]")
        or _mentions("test", inside, "*.py", rf"[\"']{name}[\"']")
        or _mentions("test", inside, "*.py", rf"[\"'/}}]{_tail(url.route)}/?[\"'?`]")
    )


def _as_used(route: str) -> str:
    """A regular expression for the path as a test writes it, values in braces or plain."""
    return re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]*>", "[^/]+", route.replace("^", "").replace("$", "").replace("\\Z", ""))


def _tail(route: str) -> str:
    """The last word of a route: what is done (`cancel`), or the collection that is read."""
    words = [word for word in _as_used(route).replace("[^/]+", "").split("/") if word]
    return re.escape(words[-1]) if words else ""


def _app(url: Url) -> str:
    """The app that a view without a namespace lives in."""
    return inspect.unwrap(getattr(url.view, "cls", None) or url.view).__module__.split(".")[1]


def _mentions(what: str, folder: str, glob: str, pattern: str) -> list[Place]:
    found = []
    for path in sorted((ROOT / folder).rglob(glob)):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(pattern, line):
                found.append(Place(what, _relative(path), number, line.strip()[:80]))
    return found


def _calls(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything called, in order."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        yield ast.unparse(call.func)


def _strings(tree: ast.AST, pattern: str) -> list[str]:
    """String constants that look like the pattern, each once."""
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return list(dict.fromkeys(text for text in texts if re.fullmatch(pattern, text)))


def _resolve(module: Any, dotted: str) -> Callable[..., Any] | None:
    value = module
    for part in dotted.split("."):
        value = getattr(value, part, None)
    return inspect.unwrap(value) if inspect.isfunction(value) else None


def _position(thing: Any) -> tuple[str, int]:
    return _relative(Path(inspect.getsourcefile(thing) or "")), inspect.getsourcelines(thing)[1]


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
