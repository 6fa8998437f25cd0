from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PromptsConfig(AppConfig):
    name = "apps.prompts"
    label = "prompts"
    verbose_name = _("Prompts")

    def ready(self) -> None:
        from apps.core import artefact_types, navigation  # these need the models, which are ready only now
        from apps.lms.services import snapshot
        from apps.prompts import selectors

        artefact_types.register(
            "prompt_version", label=_("prompt version"), find=selectors.find_version, url=selectors.version_url
        )
        navigation.register(
            area="prompts", label=_("Prompts"), url_name="prompts:prompt_list", icon="message-square-text", order=60
        )
        snapshot.register_models(selectors.gateway_models)
        navigation.register_search("prompts", selectors.search)
