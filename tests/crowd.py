"""Rows in numbers, for every table there is: what lists are measured with.

crowd = Crowd(project, user); crowd.fill(40)          # 40 rows of every model of AIFS
crowd.rows(Job, 100_000)                              # or many of one, with the rows they point at

A value comes from the kind of its field; what a constraint or a list needs beyond that stands in OVERRIDES. Row i
points at row i of other tables, so that one-to-one relations and unique constraints hold.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import DatabaseError, models, transaction

from apps.core.ids import uuid7
from apps.core.models import Project, User
from workers.kinds import kinds

BATCH = 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("harbour", "crane", "tide", "gull", "anchor", "breeze", "chart", "dock", "ebb", "ferry", "keel", "lantern")
STATES = ("succeeded", "failed", "cancelled", "succeeded", "succeeded", "running", "queued", "succeeded")


def _kind(i: int) -> str:
    """Half of them tuning runs, since they have a list of their own."""
    names = [name for name in kinds.names() if name.startswith("lmt.")] if i % 2 else kinds.names()
    return names[i // 2 % len(names)]


def _name(i: int) -> str:
    return f"{WORDS[i % 12]} {WORDS[i * 7 // 12 % 12]} {i}"


def _slug(i: int) -> str:
    return _name(i).replace(" ", "-")


OVERRIDES: dict[str, dict[str, Callable[[int], Any]]] = {
    "core.artefact": {
        "type": lambda i: ("dataset_version", "model_version", "evaluation")[i % 3],
        "name": lambda i: f"{_slug(i)}:{i}",
    },
    "gpucloud.job": {
        "kind": _kind,
        "name": _name,
        "state": lambda i: STATES[i % len(STATES)],
        "service": lambda i: False,
        "started_at": lambda i: START + timedelta(seconds=i),
        "ended_at": lambda i: (
            None if STATES[i % len(STATES)] in {"running", "queued"} else START + timedelta(seconds=i + 60)
        ),
    },
    "gpucloud.attempt": {"state": lambda i: "succeeded"},
    "gpucloud.lease": {"accelerator": lambda i: None},
    "lms.model": {"name": _slug},
    "lms.deployment": {"name": _slug, "external_url": lambda i: ""},
    "datasets.dataset": {"name": _slug},
    "prompts.prompt": {"name": _slug},
    "prompts.promptservice": {"name": _slug},
}


class Crowd:
    def __init__(self, project: Project, user: User) -> None:
        self.project, self.user = project, user
        self.made: dict[type[models.Model], list[Any]] = {}
        self.refused: dict[str, str] = {}
        """Models whose rows a constraint did not take, with the reason."""

    def fill(self, count: int) -> None:
        for model in apps.get_models():
            if model.__module__.startswith("apps."):
                self.rows(model, count)

    def rows(self, model: type[models.Model], count: int) -> list[Any]:
        """That many rows of a model, made once."""
        if model is Project:
            return [self.project] * count
        if model not in self.made:
            self.made[model] = []  # while they are made, a way round leads to no rows
            related = {
                field.name: self.rows(field.related_model, count)
                for field in _fields(model)
                if self._points(model, field)
            }
            values = [self._row(model, i, related) for i in range(count)]
            try:
                with transaction.atomic():
                    self.made[model] = model._default_manager.bulk_create(values, BATCH)
            except DatabaseError as error:
                self.refused[model._meta.label] = str(error)
        return self.made[model]

    def _points(self, model: type[models.Model], field: Any) -> bool:
        own = isinstance(field.related_model, type) and field.related_model.__module__.startswith("apps.")
        overridden = field.name in OVERRIDES.get(model._meta.label_lower, {})
        return (
            bool(field.many_to_one or field.one_to_one) and own and field.related_model is not model and not overridden
        )

    def _row(self, model: type[models.Model], i: int, related: dict[str, list[Any]]) -> Any:
        given: dict[str, Any] = {}
        overrides = OVERRIDES.get(model._meta.label_lower, {})
        for field in _fields(model):
            if field.name in overrides:
                given[field.name] = overrides[field.name](i)
            elif field.name in related:
                there = related[field.name]
                if field.related_model is User and field.name != "user":
                    given[field.name] = self.user
                elif there:
                    given[field.name] = there[(i + (field.name == "child")) % len(there)]
            elif (value := _value(field, i)) is not None:
                given[field.name] = value
        return model(**given)


def _fields(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]


def _value(field: Any, i: int) -> Any:
    """A value of the kind of field, its own where it must be; None leaves it to the field's default."""
    if isinstance(field, models.UUIDField):
        return None if field.has_default() else None if field.null else uuid7()
    if isinstance(field, models.CharField | models.TextField) and field.choices:
        return field.choices[i % len(field.choices)][0] if not field.has_default() else None
    if isinstance(field, models.EmailField):
        return f"person-{i}@crowd.example"
    if isinstance(field, models.CharField):
        if field.has_default() or (field.blank and not field.unique):
            return None
        return f"{field.name}-{i:06}"[-(field.max_length or 40) :]
    if isinstance(field, models.IntegerField | models.FloatField) and not field.has_default() and not field.null:
        return i + 1
    if isinstance(field, models.DateTimeField) and not field.null and not field.has_default():
        return START + timedelta(seconds=i)
    return _structured(field)


def _structured(field: Any) -> Any:
    if field.has_default() or field.null or field.blank:
        return None
    if isinstance(field, models.JSONField):
        return []
    return [] if field.get_internal_type() == "ArrayField" else None
