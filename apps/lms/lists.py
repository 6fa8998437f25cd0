"""The lists of models, evaluations and deployments."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.core.lists import Column, Empty, Filter, List, register
from apps.core.models import Project
from apps.lms import selectors
from apps.lms.models import Deployment


def _of(row: dict[str, Any], name: str) -> Any:
    """A value of a model's newest version."""
    return getattr(row["version"], name) if row["version"] else None


MODELS = register(
    List(
        url_name="lms:model_list",
        label=_("Models"),
        icon="boxes",
        rows=selectors.list_with_shared,
        present=selectors.newest_versions,
        row_template="lms/_model_row.html",
        columns=(
            Column("name", _("Name"), lambda row: row["model"].name, order="name"),
            Column("family", _("Family"), lambda row: _of(row, "family")),
            Column("parameters", _("Parameters"), lambda row: _of(row, "parameters"), numeric=True),
            Column(
                "size",
                _("Size"),
                lambda row: row["version"].artefact.size_bytes if row["version"] else None,
                numeric=True,
            ),
            Column("versions", _("Versions"), lambda row: row["model"].version_count, numeric=True),
            Column("licence", _("Licence"), lambda row: row["model"].licence),
            Column("changed", _("Last change"), lambda row: _of(row, "created_at") or row["model"].created_at),
            Column("created", _("Created"), lambda row: row["model"].created_at, order="id", head=False),
        ),
        sort="-created",
        search=("name",),
        empty=Empty(
            "boxes",
            _("No models yet"),
            _("Import a model to start from. Fine-tuned models will stand here, too."),
            _("Import a model"),
            lambda project: reverse("lms:model_import", args=[project.slug]),
            "run_simple",
        ),
    )
)

EVALUATIONS = register(
    List(
        url_name="lms:evaluation_list",
        label=_("Evaluations"),
        icon="gauge",
        rows=lambda actor, project: selectors.list_evaluations(actor).filter(artefact__project=project),
        row_template="lms/_evaluation_row.html",
        columns=(
            Column("suite", _("Measured on"), lambda row: row.suite or _now("Held-out rows")),
            Column("model", _("Model"), lambda row: row.model_version),
            Column("accuracy", _("Accuracy"), lambda row: row.mean, numeric=True),
            Column("loss", _("Held-out loss"), lambda row: row.loss, numeric=True),
            Column("created", _("When"), lambda row: row.created_at, order="pk"),
        ),
        sort="-created",
        search=("suite", "model_version__model__name"),
        placeholder=_("Model or benchmark"),
        empty=Empty(
            "gauge",
            _("No evaluations yet"),
            _("Measure a model before and after tuning to see what the tuning was worth."),
            _("New evaluation"),
            lambda project: reverse("lms:evaluation_create", args=[project.slug]),
            "run_simple",
        ),
    )
)


def deployment_rows(rows: list[Deployment], project: Project) -> list[dict[str, Any]]:
    return [selectors.describe(row) for row in rows]


def _wanted(rows: QuerySet[Deployment], value: str) -> QuerySet[Deployment]:
    return rows.filter(wanted=value == "started")


DEPLOYMENTS = register(
    List(
        url_name="lms:deployment_list",
        label=_("Deployments"),
        icon="rocket",
        rows=lambda actor, project: selectors.list_deployments(actor).filter(project=project),
        present=deployment_rows,
        row_template="lms/_deployment_row.html",
        columns=(
            Column("name", _("Name"), lambda row: row["name"], order="name"),
            Column("state", _("State"), lambda row: row["state"]),
            Column("model", _("Model"), lambda row: row["model"]),
            Column("runtime", _("Runtime"), lambda row: row["runtime"]),
            Column("replicas", _("Replicas"), lambda row: row["deployment"].replicas, numeric=True),
            Column("created", _("Since"), lambda row: row["deployment"].created_at, order="id"),
        ),
        sort="-created",
        search=("name", "model_version__model__name"),
        placeholder=_("Name or model"),
        filters=(
            Filter(
                "wanted",
                _("State"),
                _("Started and stopped"),
                (("started", _("Has been started")), ("stopped", _("Stopped"))),
                _wanted,
            ),
        ),
        empty=Empty(
            "rocket",
            _("Nothing is deployed yet"),
            _("Deploy a model to chat with it here and to call it from programs."),
            _("Deploy a model"),
            lambda project: reverse("lms:deployment_create", args=[project.slug]),
            "deploy",
        ),
    )
)
