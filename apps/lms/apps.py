from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LmsConfig(AppConfig):
    name = "apps.lms"
    label = "lms"
    verbose_name = _("Models & Serving")

    def ready(self) -> None:
        from apps.core import artefact_types, dashboard, key_changes, navigation
        from apps.core import lineage as core_lineage
        from apps.core import notices as core_notices
        from apps.gpucloud.handlers import register
        from apps.lms import lineage, notices, selectors, sharing, stages
        from apps.lms.attention import calls_of_the_month, deployment_concerns
        from apps.lms.jobs import LmsHandler
        from apps.lms.services import snapshot

        register(LmsHandler())
        for event in notices.EVENTS:
            core_notices.register(*event)
        key_changes.register(snapshot.rebuild)
        artefact_types.register(
            "model_version",
            label=_("model version"),
            find=selectors.find_version,
            url=selectors.version_url,
            icon="boxes",
            newest=lineage.newest,
            first_url="lms:model_import",
        )
        artefact_types.register_shared("model_version", artefact_types.Shared(sharing.facts, sharing.card))
        for use in sharing.USES:
            artefact_types.register_use("model_version", use)
        artefact_types.register(
            "evaluation",
            label=_("evaluation"),
            find=selectors.find_evaluation,
            url=selectors.evaluation_url,
            icon="gauge",
            final=True,
        )
        artefact_types.register_shared(
            "evaluation",
            artefact_types.Shared(sharing.evaluation_facts, sharing.evaluation_scores, sharing.EVALUATION_FILES),
        )
        core_lineage.register(lineage.DEPLOYMENTS)
        core_lineage.register(lineage.FEEDBACK)
        navigation.register(area="lms", label=_("Models & Serving"), url_name="lms:model_list", icon="boxes", order=50)
        navigation.register_search("lms", selectors.search)
        dashboard.register_concerns("deployments", deployment_concerns)
        dashboard.register_figures("calls", calls_of_the_month)
        for stage in stages.STAGES:
            dashboard.register_stage(stage)
