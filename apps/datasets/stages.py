"""What the dashboard says of data: its stages from an imported to a cleaned set."""

from django.utils.translation import gettext_lazy as _

from apps.core.dashboard import Stage
from apps.datasets import selectors

STAGES = (
    Stage(
        name="data",
        label=_("Datasets"),
        todo=_("Import data"),
        text=_("Drop a file: its format is told for you, and bad rows are set aside with their reasons."),
        icon="database",
        order=10,
        list_url="datasets:dataset_list",
        start_url="datasets:import_create",
        sample_url="datasets:sample_import",
        right="run_simple",
        kinds=("datasets.import",),
        count=selectors.count_datasets,
    ),
    Stage(
        name="clean",
        label=_("Cleaned versions"),
        todo=_("Clean it"),
        text=_("Drop duplicates and rows that are too short, and see what each step does to your rows."),
        icon="eraser",
        order=20,
        list_url="datasets:dataset_list",
        start_url="datasets:dataset_list",
        right="run_simple",
        kinds=("datasets.clean",),
        count=selectors.count_cleaned,
    ),
)
