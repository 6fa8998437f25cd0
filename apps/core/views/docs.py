"""The API's documentation: one page made from the schema, without scripts of others."""

import re
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import linebreaks
from django.utils.safestring import SafeString, mark_safe
from drf_spectacular.generators import SchemaGenerator

from apps.core.pages import open_page

METHODS = ("get", "post", "put", "patch", "delete")


@open_page
def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "core/api_docs.html", {"groups": groups()})


@lru_cache(maxsize=1)
def groups() -> list[dict[str, Any]]:
    """Operations by collection: [{"name", "operations": [{"method", "path", "summary", "parameters", "body"}]}]."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                found.setdefault(operation["tags"][0], []).append(_described(schema, path, method, operation))
    return [{"name": name, "operations": operations} for name, operations in sorted(found.items())]


def _described(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": entry["name"], "where": entry["in"], "required": entry.get("required", False)}
        for entry in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("schema", {})
    return {
        "method": method.upper(),
        "path": path,
        "summary": _first_sentence(operation.get("description", "")),
        "description": _paragraphs(operation.get("description", "")),
        "parameters": parameters,
        "fields": _fields(schema, body),
    }


def _first_sentence(text: str) -> str:
    """What stands beside the address while the rest is folded away."""
    return re.split(r"(?<=[.;:])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(";:").replace("`", "")


def _paragraphs(text: str) -> SafeString:
    """HTML of a docstring, with what stands between backquotes as code."""
    safe = linebreaks(text, autoescape=True)
    return mark_safe(re.sub("`([^`<]+)`", r'<code class="mono">\1</code>', safe))  # noqa: S308 - escaped above


def _fields(schema: dict[str, Any], body: dict[str, Any]) -> list[dict[str, Any]]:
    """Properties of a request body that is one named component."""
    component = schema["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], {})
    needed = set(component.get("required", []))
    return [
        {"name": name, "type": kind.get("type", ""), "required": name in needed}
        for name, kind in component.get("properties", {}).items()
        if not kind.get("readOnly")
    ]
