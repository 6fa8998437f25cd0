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
        navigation.register_card("lately", template="core/_card_lately.html", context=dashboard.lately, order=30)
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
        notices.register(
            "artefact.share",
            label=_("Something is shared with a project you own"),
            text=gettext_noop("%(place)s shares %(thing)s with this project."),
            icon="share-2",
        )
        notices.register(
            "artefact.unshare",
            label=_("Something is not shared any more with a project you own"),
            text=gettext_noop("%(place)s does not share %(thing)s with this project any more."),
            icon="share-2",
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
            also=(
                "core:settings_members",
                "core:settings_project",
                "core:settings_team",
                "core:settings_webhooks",
                "core:audit_list",
            ),
        )
