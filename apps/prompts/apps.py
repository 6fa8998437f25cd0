from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PromptsConfig(AppConfig):
    name = "apps.prompts"
    label = "prompts"
    verbose_name = _("Prompts")

    def ready(self) -> None:
        from apps.core import artefact_types, dashboard, navigation  # these need the models, which are ready only now
        from apps.core import lineage as core_lineage
        from apps.lms import candidates as lms_candidates
        from apps.lms.services import snapshot
        from apps.prompts import candidates, lineage, selectors, sharing, stages

        artefact_types.register(
            "prompt_version",
            label=_("prompt version"),
            find=selectors.find_version,
            url=selectors.version_url,
            icon="message-square-text",
            newest=lineage.newest,
        )
        artefact_types.register_shared("prompt_version", artefact_types.Shared(sharing.facts, sharing.text))
        for use in sharing.USES:
            artefact_types.register_use("prompt_version", use)
        core_lineage.register(lineage.SERVICES)
        navigation.register(
            area="prompts", label=_("Prompts"), url_name="prompts:prompt_list", icon="message-square-text", order=60
        )
        snapshot.register_models(selectors.gateway_models)
        navigation.register_search("prompts", selectors.search)
        lms_candidates.register(
            lms_candidates.Source(candidates.PREFIX, _("Versions of prompts"), candidates.candidates, candidates.body)
        )
        for stage in stages.STAGES:
            dashboard.register_stage(stage)
