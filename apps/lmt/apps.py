from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LmtConfig(AppConfig):
    name = "apps.lmt"
    label = "lmt"
    verbose_name = _("Tune (LMT)")

    def ready(self) -> None:
        from apps.core import artefact_types, dashboard, navigation  # these need the models, which are ready only now
        from apps.gpucloud import handlers
        from apps.lmt import jobs, selectors, sharing, stages

        handlers.register(jobs.LmtHandler())
        artefact_types.register(
            "checkpoint",
            label=_("checkpoint"),
            find=lambda project, ref: None,
            url=selectors.checkpoint_url,
            icon="flag",
        )
        for type, use in sharing.USES.items():
            artefact_types.register_use(type, use)
        navigation.register(
            area="lmt", label=_("Tune (LMT)"), url_name="lmt:run_list", icon="sliders-horizontal", order=40
        )
        navigation.register_search("lmt", selectors.search)
        for stage in stages.STAGES:
            dashboard.register_stage(stage)
