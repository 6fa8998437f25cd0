"""The API against its own schema: schemathesis makes requests that fit it and requests that do not.

No answer is a 5xx, and every answer has a status, a type and a shape that the schema tells of. Longer, by hand:
`FUZZ_EXAMPLES=1000 .venv/bin/pytest tests/attacks/test_schema.py --timeout=0 -n 2`; what was done stands in
`var/test/fuzz.json`.
"""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.attacks.furnished import Furnished
from tests.attacks.matrix import RESULTS, undone
from tests.factories import bearer

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or 6)
ENDLESS = {"/api/v1/jobs/{id}/events/"}
"""Ends with its job; it has tests of its own."""
ASKS_A_MODEL = {"/api/v1/prompt-versions/{id}/test/"}
"""No gateway runs here: 503 is the right answer."""
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]


def operations() -> list[tuple[str, str]]:
    """(method, path) of everything in the schema."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods if path not in ENDLESS]


@lru_cache(maxsize=1)
def schema() -> Any:
    return schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())


@pytest.fixture
def one_connection() -> Iterator[None]:
    """As Django's test client does: a request closes no connection, which here holds the test's own transaction."""
    both = (signals.request_started, signals.request_finished)
    for signal in both:
        signal.disconnect(close_old_connections)
    yield
    for signal in both:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize(("method", "path"), operations(), ids=lambda value: value)
def test_every_answer_is_foretold(place: Furnished, method: str, path: str) -> None:
    headers, seen = bearer(place.house.key("owner")), dict[str, int]()

    def ask(case: Any) -> None:
        with undone():
            answer = case.call(headers=headers)
        seen[str(answer.status_code)] = seen.get(str(answer.status_code), 0) + 1
        away = answer.status_code == 503 and path in ASKS_A_MODEL
        assert answer.status_code < 500 or away, f"{case.as_curl_command()}\n{answer.text[:2000]}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"], answer.headers
        if not away:
            case.validate_response(answer, checks=CHECKS)

    operation, ids = schema()[path][method], real_ids(place, path)
    try:
        for mode in GenerationMode:
            run(operation, mode, ask, EXAMPLES, path_parameters=ids or None)
        run(operation, GenerationMode.POSITIVE, lambda case: ask(with_real_things(place, case)), EXAMPLES // 2)
        if ids:
            run(operation, GenerationMode.POSITIVE, ask, max(2, EXAMPLES // 4))
    finally:
        note(f"{method} {path}", seen)


def real_ids(place: Furnished, path: str) -> dict[str, str]:
    """What stands in the places of a path, so that requests come to something that is there."""
    singular = path.removeprefix("/api/v1/").partition("/")[0].removesuffix("s")
    known = place.ids | {"lineage": place.ids["dataset-version"]}
    thing = known.get(singular, "")
    found = {"type": "dataset_version", "path": "config.json", "id": thing, "artefact": thing}
    return {name: value for name, value in found.items() if "{" + name + "}" in path}


def with_real_things(place: Furnished, case: Any) -> Any:
    """The same request about what is there: ids and names that are only made up get no further than 404."""
    known = place.ids | {"project": place.house.project.slug, "type": "dataset_version", "kind": "gpucloud.check"}
    known |= {"object_id": place.ids["dataset-version"], "url": "https://1.1.1.1/"}
    if isinstance(case.body, dict):
        case.body = {name: known.get(name, value) for name, value in case.body.items()}
    return case


def run(operation: Any, mode: GenerationMode, ask: Any, examples: int, **fixed: Any) -> None:
    """Nothing, when an operation has nothing that could be wrong."""

    @seed(7)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink], derandomize=False,
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def inner(case: Any) -> None:
        ask(case)

    inner()


def note(operation: str, seen: dict[str, int]) -> None:
    """Answers by status, for whoever wants to know how far it came; `summary` is of all operations so far."""
    path = RESULTS.with_name("fuzz.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}").get("operations", {}) | {operation: seen}
        file.truncate(0)
        file.write(json.dumps({"summary": summary(known), "operations": known}, indent=1))


def summary(known: dict[str, dict[str, int]]) -> dict[str, Any]:
    """never: operations that no case came through to success."""
    answers: Counter[str] = Counter()
    for seen in known.values():
        answers.update(seen)
    never = sorted(name for name, seen in known.items() if not any(status[0] == "2" for status in seen))
    counts = dict(sorted(answers.items()))
    return {"operations": len(known), "cases": answers.total(), "answers": counts, "never": never}
