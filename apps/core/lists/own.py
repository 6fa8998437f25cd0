"""Core's own lists: members, keys, the audit, artefacts."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.core import artefact_types, deeds, selectors
from apps.core.lists.spec import Column, Empty, Filter, List, register
from apps.core.models import Artefact, AuditEvent, Project, Role

MEMBERS = register(
    List(
        url_name="core:settings_members",
        label=_("Members"),
        icon="users",
        rows=lambda actor, project: selectors.list_members(project),
        row_template="core/_member_row.html",
        columns=(
            Column("person", _("Person"), lambda row: row.user, order="user__name"),
            Column("email", _("E-mail address"), lambda row: row.user.email, order="user__email"),
            Column("role", _("Role"), lambda row: row.get_role_display(), order="role"),
            Column("since", _("Since"), lambda row: row.created_at, order="id"),
            Column("actions", ""),
        ),
        sort="since",
        search=("user__name", "user__email"),
        placeholder=_("Name or e-mail address"),
        filters=(Filter("role", _("Role"), _("All roles"), Role.choices),),
        empty=Empty("users", _("No members yet"), _("Invite somebody below.")),
    )
)


def _key_state(row: Any) -> str:
    return "revoked" if row.revoked_at else "expired" if row.is_expired else "active"


KEYS = register(
    List(
        url_name="core:settings_keys",
        label=_("API keys"),
        icon="key-round",
        rows=lambda actor, project: selectors.list_api_keys(actor, project),
        row_template="core/_key_row.html",
        columns=(
            Column("name", _("Name"), lambda row: row.name, order="name"),
            Column("key", _("Key"), lambda row: f"aifs_{row.prefix}_…"),
            Column("rights", _("Rights"), lambda row: " ".join(row.rights)),
            Column("person", _("Person"), lambda row: row.user),
            Column("used", _("Last used"), lambda row: row.last_used_at),
            Column("until", _("Works until"), lambda row: row.expires_at),
            Column("state", _("State"), _key_state, head=False),
            Column("created", _("Created"), lambda row: row.created_at, order="id", head=False),
            Column("actions", ""),
        ),
        sort="-created",
        search=("name", "prefix", "user__email"),
        placeholder=_("Name, key or person"),
        empty=Empty("key-round", _("No keys yet"), _("Make one below to use the API, the SDK or the gateway.")),
    )
)


def audit_rows(events: list[AuditEvent], project: Project) -> list[dict[str, Any]]:
    """Each in words. An upload is told by its file, anything else by the name it had."""
    return [
        {"event": event, **deeds.in_words(event.action), "object": event.data.get("filename") or event.object_name}
        for event in events
    ]


AUDIT = register(
    List(
        url_name="core:audit_list",
        label=_("Audit"),
        icon="scroll-text",
        right="manage",
        rows=lambda actor, project: selectors.list_audit_events(project),
        present=audit_rows,
        row_template="core/_audit_row.html",
        columns=(
            Column("at", _("When"), lambda row: row["event"].at, order="id"),
            Column("who", _("Who"), lambda row: row["event"].user or ""),
            Column(
                "key", _("Key"), lambda row: row["event"].api_key.prefix if row["event"].api_key else "", head=False
            ),
            Column("action", _("Deed"), lambda row: row["event"].action),
            Column("object", _("Object"), lambda row: row["object"]),
            Column("from", _("From"), lambda row: row["event"].ip, numeric=True),
        ),
        sort="-at",
        search=("action", "object_name"),
        placeholder=_("Object, or a deed such as api_key"),
        filters=(
            Filter(
                "thing",
                _("About what"),
                _("Everything"),
                deeds.things,
                lambda rows, value: rows.filter(action__startswith=f"{value}."),
            ),
        ),
        empty=Empty("scroll-text", _("Nothing yet"), _("What people do in this project is written down here.")),
        per_page=50,
    )
)


def artefact_rows(rows: list[Artefact], project: Project) -> list[dict[str, Any]]:
    return [
        {"artefact": row, "label": artefact_types.label(row.type), "is_shared": row.project_id != project.pk}
        for row in rows
    ]


def _from(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    return rows.filter(is_shared=value == "shared")


ARTEFACTS = register(
    List(
        url_name="core:artefact_list",
        label=_("Artefacts"),
        icon="git-fork",
        rows=selectors.list_artefacts,
        present=artefact_rows,
        row_template="core/_artefact_row.html",
        columns=(
            Column("name", _("Name"), lambda row: row["artefact"].name, order="name"),
            Column("type", _("Kind"), lambda row: row["label"]),
            Column("size", _("Size"), lambda row: row["artefact"].size_bytes, order="size_bytes", numeric=True),
            Column("made", _("Made"), lambda row: row["artefact"].created_at, order="id"),
            Column("sha256", "SHA-256", lambda row: row["artefact"].sha256, head=False),
            Column("id", _("Id"), lambda row: row["artefact"].pk, head=False),
        ),
        sort="-made",
        search=("name",),
        filters=(
            Filter(
                "type",
                _("Kind"),
                _("Every kind"),
                lambda: [(name, artefact_types.label(name)) for name in artefact_types.names()],
            ),
            Filter(
                "whose", _("Whose"), _("Own and shared"), (("own", _("Own")), ("shared", _("Shared with us"))), _from
            ),
        ),
        empty=Empty("git-fork", _("Nothing here yet"), _("Import data or a model, and its story begins.")),
    )
)
