from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = _("People and artefacts")

    def ready(self) -> None:
        from apps.core import (  # these need the models, which are ready only now
            account_audit,
            attention,
            commands,
            dashboard,
            navigation,
            notices,
            selectors,
        )

        account_audit.connect()
        import_module("apps.core.schema")  # drf-spectacular finds the key scheme by its class being there
        commands.register("frame", commands.frame_commands)
        dashboard.register_concerns("keys", attention.key_concerns)
        navigation.register_card(
            "attention", template="core/_card_attention.html", context=dashboard.concerns, order=20
        )
        navigation.register_card("lately", template="core/_card_lately.html", context=dashboard.lately, order=30)
        navigation.register_search("artefacts", selectors.search_artefacts)
        for event in notices.OWN:
            notices.register(*event)
        navigation.register(
            area="lineage", label=_("Lineage"), url_name="core:artefact_list", icon="git-fork", order=20, tool=True
        )
        navigation.register(
            area="settings",
            label=_("Settings"),
            url_name="core:settings_keys",
            icon="settings",
            order=30,
            tool=True,
            also=(
                "core:settings_members",
                "core:settings_project",
                "core:settings_team",
                "core:settings_webhooks",
                "core:audit_list",
            ),
        )
