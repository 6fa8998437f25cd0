"""The list of datasets."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.lists import Column, Empty, Filter, List, register
from apps.datasets import selectors
from apps.datasets.models import DatasetKind

DATASETS = register(
    List(
        url_name="datasets:dataset_list",
        label=_("Datasets"),
        icon="database",
        rows=selectors.list_with_shared,
        row_template="datasets/_dataset_row.html",
        columns=(
            Column("name", _("Name"), lambda row: row.name, order="name"),
            Column("description", _("Description"), lambda row: "" if row.is_shared else row.description, head=False),
            Column("kind", _("What it is for"), lambda row: row.get_kind_display()),
            Column("format", _("Holds"), lambda row: row.format or ""),
            Column("rows", _("Rows"), lambda row: row.rows, numeric=True),
            Column("versions", _("Versions"), lambda row: row.version_count, numeric=True),
            Column("created", _("Created"), lambda row: row.created_at, order="id"),
        ),
        sort="-created",
        search=("name",),
        filters=(Filter("kind", _("What it is for"), _("Every kind"), DatasetKind.choices),),
        empty=Empty(
            "database",
            _("No data yet"),
            _(
                "Drop a file with questions and answers, conversations, texts, a table or a benchmark. Its format is"
                " told for you, and bad rows are set aside with their reasons."
            ),
            _("Import data"),
            lambda project: reverse("datasets:import_create", args=[project.slug]),
            "run_simple",
        ),
    )
)
