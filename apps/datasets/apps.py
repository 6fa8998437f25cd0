from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DatasetsConfig(AppConfig):
    name = "apps.datasets"
    label = "datasets"
    verbose_name = _("Data")

    def ready(self) -> None:
        from apps.core import artefact_types, dashboard, navigation  # these need the models, which are ready only now
        from apps.datasets import jobs, lineage, selectors, sharing
        from apps.gpucloud import handlers

        artefact_types.register(
            "dataset_version",
            label=_("dataset version"),
            find=selectors.find_version,
            url=selectors.version_url,
            meta=selectors.version_meta,
            icon="database",
            newest=lineage.newest,
        )
        artefact_types.register_shared(
            "dataset_version", artefact_types.Shared(facts=sharing.facts, files=sharing.FILES)
        )
        for use in sharing.USES:
            artefact_types.register_use("dataset_version", use)
        handlers.register(jobs.DatasetsHandler())
        navigation.register(area="data", label=_("Data"), url_name="datasets:dataset_list", icon="database", order=10)
        navigation.register_search("datasets", selectors.search)
        dashboard.register_stage(
            dashboard.Stage(
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
            )
        )
        dashboard.register_stage(
            dashboard.Stage(
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
            )
        )
