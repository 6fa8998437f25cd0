from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DatasetsConfig(AppConfig):
    name = "apps.datasets"
    label = "datasets"
    verbose_name = _("Data")

    def ready(self) -> None:
        from apps.core import artefact_types, dashboard, navigation  # these need the models, which are ready only now
        from apps.datasets import jobs, lineage, selectors, sharing, stages
        from apps.gpucloud import handlers

        artefact_types.register(
            "dataset_version",
            label=_("dataset version"),
            find=selectors.find_version,
            url=selectors.version_url,
            meta=selectors.version_meta,
            icon="database",
            newest=lineage.newest,
            first_url="datasets:import_create",
        )
        artefact_types.register_shared(
            "dataset_version", artefact_types.Shared(facts=sharing.facts, files=sharing.FILES)
        )
        for use in sharing.USES:
            artefact_types.register_use("dataset_version", use)
        handlers.register(jobs.DatasetsHandler())
        navigation.register(area="data", label=_("Data"), url_name="datasets:dataset_list", icon="database", order=10)
        navigation.register_search("datasets", selectors.search)
        for stage in stages.STAGES:
            dashboard.register_stage(stage)
