from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LmsConfig(AppConfig):
    name = "apps.lms"
    label = "lms"
    verbose_name = _("Models & Serving")

    def ready(self) -> None:
        from apps.core import artefact_types, key_changes, navigation
        from apps.gpucloud.handlers import register
        from apps.lms import selectors
        from apps.lms.jobs import LmsHandler
        from apps.lms.services import snapshot

        register(LmsHandler())
        key_changes.register(snapshot.rebuild)
        artefact_types.register(
            "model_version", label=_("model version"), find=selectors.find_version, url=selectors.version_url
        )
        artefact_types.register(
            "evaluation", label=_("evaluation"), find=selectors.find_evaluation, url=selectors.evaluation_url
        )
        navigation.register(area="lms", label=_("Models & Serving"), url_name="lms:model_list", icon="boxes", order=50)
        navigation.register_search("lms", selectors.search)
