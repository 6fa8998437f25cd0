"""The list of tuning runs."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.lists import Column, Empty, Filter, List, register
from apps.core.models import Project
from apps.gpucloud import shown
from apps.gpucloud.details import title_of
from apps.gpucloud.lists import COMPARE, STATES
from apps.gpucloud.models import Job
from apps.gpucloud.selectors import filter_jobs
from apps.lmt import selectors


def run_rows(runs: list[Job], project: Project) -> list[dict[str, Any]]:
    """Each run with its story, told in few queries."""
    for run in runs:
        run.project = project
    return [
        {"story": story, "kind": shown.kind_label(story.job.kind), "title": title_of(story.job)}
        for story in selectors.tell(runs)
    ]


RUNS = register(
    List(
        url_name="lmt:run_list",
        label=_("Tuning runs"),
        icon="sliders-horizontal",
        rows=lambda actor, project: selectors.list_runs(actor, project),
        present=run_rows,
        row_template="lmt/_run_row.html",
        columns=(
            Column("state", _("State"), lambda row: row["story"].job.get_state_display()),
            Column("name", _("Tuning run"), lambda row: row["story"].job.name or row["kind"], order="name"),
            Column("kind", _("Kind"), lambda row: row["kind"], head=False),
            Column("base", _("Base model"), lambda row: row["story"].base or ""),
            Column("data", _("Data"), lambda row: row["story"].data or ""),
            Column("loss_before", _("Loss before"), lambda row: row["story"].loss_before, numeric=True),
            Column("loss_after", _("Loss after"), lambda row: row["story"].loss_after, numeric=True),
            Column("created", _("Started"), lambda row: row["story"].job.created_at, order="id"),
        ),
        bulk=(COMPARE,),
        sort="-created",
        search=("name",),
        filters=(
            Filter("state", _("State"), _("All states"), STATES, lambda rows, value: filter_jobs(rows, state=value)),
            Filter(
                "kind",
                _("Kind"),
                _("All kinds"),
                lambda: [(name, shown.kind_label(name)) for name in selectors.run_kinds()],
            ),
        ),
        empty=Empty(
            "sliders-horizontal",
            _("No model tuned yet"),
            _("Choose a model from the store and a dataset of questions and answers; the rest is chosen for you."),
            _("Fine-tune a model"),
            lambda project: reverse("lmt:run_create", args=[project.slug]),
            "run_simple",
        ),
    )
)
