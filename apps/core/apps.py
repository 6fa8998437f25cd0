from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop


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
        navigation.register_search("artefacts", selectors.search_artefacts)
        notices.register(
            "invitation.accepted",
            label=_("Somebody accepts your invitation"),
            text=gettext_noop("%(person)s has joined %(place)s."),
            icon="users",
        )
        notices.register(
            "comment.mention",
            label=_("Somebody mentions you in a comment"),
            text=gettext_noop("%(person)s mentions you in a comment on %(thing)s."),
            icon="message-square-text",
        )
        notices.register(
            "comment.create",
            label=_("Somebody answers where you have commented"),
            text=gettext_noop("%(person)s has commented on %(thing)s."),
            icon="message-square-text",
        )
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
            also=("core:settings_members", "core:settings_project", "core:settings_webhooks", "core:audit_list"),
        )
