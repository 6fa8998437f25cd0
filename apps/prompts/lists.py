"""The lists of prompts and published services."""

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.lists import Column, Empty, Filter, List, register
from apps.prompts import selectors
from apps.prompts.models import PromptService

PROMPTS = register(
    List(
        url_name="prompts:prompt_list",
        label=_("Prompts"),
        icon="message-square-text",
        rows=lambda actor, project: selectors.list_prompts(actor).filter(project=project),
        row_template="prompts/_prompt_row.html",
        columns=(
            Column("name", _("Name"), lambda row: row.name, order="name"),
            Column("description", _("What it is for"), lambda row: row.description),
            Column("versions", _("Versions"), lambda row: row.version_count, numeric=True),
            Column("changed", _("Last change"), lambda row: row.updated_at, order="updated_at"),
        ),
        sort="-changed",
        search=("name", "description"),
        placeholder=_("Name or purpose"),
        empty=Empty(
            "message-square-text",
            _("No prompts yet"),
            _(
                "A prompt is a text for a model with places to fill. Once it works, publish it so that programs and"
                " colleagues can call it."
            ),
            _("New prompt"),
            lambda project: reverse("prompts:prompt_create", args=[project.slug]),
            "run_simple",
        ),
    )
)


def _enabled(rows: QuerySet[PromptService], value: str) -> QuerySet[PromptService]:
    return rows.filter(enabled=value == "published")


SERVICES = register(
    List(
        url_name="prompts:service_list",
        label=_("Published services"),
        icon="rocket",
        rows=lambda actor, project: selectors.list_services(actor).filter(project=project),
        row_template="prompts/_service_row.html",
        columns=(
            Column("name", _("Model"), lambda row: f"prompt/{row.name}", order="name"),
            Column("state", _("State"), lambda row: _("Published") if row.enabled else _("Disabled")),
            Column("prompt", _("Prompt"), lambda row: row.version.prompt.name),
            Column("version", _("Version"), lambda row: row.version.number, numeric=True),
            Column("deployment", _("Deployment"), lambda row: row.version.deployment or ""),
            Column("changed", _("Last change"), lambda row: row.updated_at, order="updated_at"),
        ),
        sort="name",
        search=("name", "version__prompt__name"),
        placeholder=_("Name or prompt"),
        filters=(
            Filter(
                "enabled",
                _("State"),
                _("Published and disabled"),
                (("published", _("Published")), ("disabled", _("Disabled"))),
                _enabled,
            ),
        ),
        empty=Empty(
            "rocket",
            _("Nothing published yet"),
            _("Open a version of a prompt and publish it; it gets an address, code to copy and a chat page."),
            _("See prompts"),
            lambda project: reverse("prompts:prompt_list", args=[project.slug]),
        ),
    )
)
