"""The operators' desk: Django's admin with unfold, arranged by what operators do. Pages of people never need it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from allauth.account.decorators import secure_admin_login
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from aifs.desk_words import name_in_readers_language
from aifs.environment import Variable, variables

LOOSER = {"script-src": ["'self'", "'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}
"""What unfold needs: Alpine.js compiles the expressions of its menus and dialogs, and its colours are an inline style.
Inline and foreign scripts stay forbidden, and no page outside the admin gets this."""

SHOWN = 8
"""Lines of what failed and what was done last, on the first page."""


@dataclass(frozen=True)
class Figure:
    """A number an operator looks at first, and the list it counts."""

    label: Any
    count: int
    url: str
    alarming: bool = False


class Desk(UnfoldAdminSite):
    site_header = site_title = "AIFS"
    index_title = _("Operators' desk")
    index_template = "admin/desk.html"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only what is AIFS's own: the libraries' pages (groups, schedules, second factors) would go past services and
        audit."""
        models = model_or_iterable if isinstance(model_or_iterable, Iterable) else [model_or_iterable]
        for model in (model for model in models if model.__module__.startswith("apps.")):
            name_in_readers_language(model)
            super().register(model, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Operators are superusers; `is_staff` alone opens nothing."""
        return bool(request.user.is_active and request.user.is_superuser)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return csp_update(LOOSER)(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Where everybody signs in: with the code of a second factor, and slowed down for those who guess."""
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer

    def extra_urls(self) -> list[URLPattern]:
        return [path("settings/", self.admin_view(self.settings), name="settings")]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from apps.core.models import AuditEvent
        from apps.gpucloud.selectors import list_failures

        latest = AuditEvent.objects.select_related("user", "project").order_by("-id")[:SHOWN]
        extra = {"figures": figures(), "failures": list_failures()[:SHOWN], "events": latest}
        return super().index(request, {**extra, **(extra_context or {})})

    def settings(self, request: HttpRequest) -> HttpResponse:
        """Every variable with what it is now. To change one, change the environment and restart."""
        context = {**self.each_context(request), "title": _("Settings"), "groups": settings_now()}
        return render(request, "admin/settings.html", context)


def figures() -> list[Figure]:
    """What waits, runs, failed or is away, over all projects."""
    from apps.gpucloud.selectors import count_for_operators
    from apps.lms.selectors import count_unready_deployments

    counts = count_for_operators()
    jobs, nodes = reverse("admin:gpucloud_job_changelist"), reverse("admin:gpucloud_node_changelist")
    unready = count_unready_deployments()
    return [
        Figure(_("Jobs waiting"), counts["queued"], f"{jobs}?state__exact=queued"),
        Figure(_("Jobs running"), counts["running"], f"{jobs}?state__exact=running"),
        Figure(
            _("Jobs failed in the last day"),
            counts["failed"],
            f"{jobs}?state__exact=failed&o=-9",
            counts["failed"] > 0,
        ),
        Figure(_("Nodes ready"), counts["ready"], f"{nodes}?state__exact=ready", counts["ready"] == 0),
        Figure(_("Nodes lost"), counts["lost"], f"{nodes}?state__exact=lost", counts["lost"] > 0),
        Figure(_("Deployments not ready"), unready, reverse("admin:lms_deployment_changelist"), unready > 0),
    ]


def settings_now() -> list[tuple[str, list[tuple[Variable, str]]]]:
    """[(group, [(variable, what it is now)])], as `.env.example` groups them. Secrets are named, never shown."""
    return [(group, [(variable, variable.shown()) for variable in rows]) for group, rows in variables().items()]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The left menu: by task, not by application."""

    def to(model: str, title: Any, icon: str) -> dict[str, Any]:
        return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}

    return [
        {
            "items": [
                {"title": _("Overview"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
                {"title": _("Settings"), "icon": "tune", "link": reverse_lazy("admin:settings")},
            ]
        },
        {
            "title": _("GPU Cloud"),
            "items": [
                to("gpucloud_job", _("Jobs"), "pending_actions"),
                to("gpucloud_node", _("Nodes"), "dns"),
                to("gpucloud_quota", _("Quotas"), "data_usage"),
            ],
        },
        {
            "title": _("Models & Serving"),
            "items": [
                to("lms_deployment", _("Deployments"), "rocket_launch"),
                to("lms_usage", _("Calls"), "bar_chart"),
                to("lms_feedback", _("Feedback"), "thumbs_up_down"),
                to("lms_model", _("Models"), "deployed_code"),
                to("lms_modelversion", _("Model versions"), "history"),
                to("lms_evaluation", _("Evaluations"), "grading"),
            ],
        },
        {
            "title": _("People and keys"),
            "items": [
                to("core_user", _("People"), "person"),
                to("core_invitation", _("Invitations"), "mail"),
                to("core_apikey", _("API keys"), "key"),
                to("core_project", _("Projects"), "folder"),
                to("core_team", _("Teams"), "groups"),
                to("core_auditevent", _("Audit"), "policy"),
            ],
        },
        {
            "title": _("Data and prompts"),
            "items": [
                to("datasets_dataset", _("Datasets"), "database"),
                to("datasets_datasetversion", _("Dataset versions"), "history"),
                to("prompts_prompt", _("Prompts"), "chat"),
                to("prompts_promptversion", _("Prompt versions"), "history"),
                to("prompts_promptservice", _("Prompt services"), "api"),
                to("core_artefact", _("Artefacts"), "inventory_2"),
                to("core_upload", _("Uploads"), "upload"),
            ],
        },
    ]


def environment(request: HttpRequest) -> list[str] | None:
    """A mark beside the title while errors show their tracebacks."""
    return [str(_("Debug")), "danger"] if settings.DEBUG else None


LIBRARY_TEXTS = (
    _("Search apps and models..."), _("Type to search"), _("Filters"), _("Select all rows"), _("Select record"),
    _("Apply Filters"), _("Reset filters"), _("Clear all filters"), _("No results found"), _("No data"),
    _("No results matching your query"), _("Filter navigation items"), _("Toggle sorting"), _("Run"),
    _("Run the selected action"), _("This page yielded into no results. Create a new item or reset your filters."),
    _("Go back"), _("View site"), _("Return to site"), _("Light"), _("Dark"), _("System"), _("General"),
    _("More actions"), _("Expand row"), _("Clear selection"), _("Recent actions"),
)  # fmt: skip
"""Texts of unfold that it brings no Chinese for; named here so that our catalogue holds them."""
