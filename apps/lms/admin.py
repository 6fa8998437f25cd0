"""The operators' desk for models, deployments, usage and feedback."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.core.desk import ReadOnly, each
from apps.lms import selectors
from apps.lms.models import Deployment, Evaluation, Feedback, Model, ModelVersion, Usage
from apps.lms.services.deployments import System, start_deployment, stop_deployment


@admin.register(Model)
class ModelStoreAdmin(ReadOnly):
    list_display = ("name", "project", "licence", "created_by", "created_at")
    list_filter = ("project",)
    search_fields = ("name", "description")
    list_select_related = ("project", "created_by")


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ("__str__", "family", "format", "parameters", "dtype", "context_length", "created_at")
    list_filter = ("family", "format")
    search_fields = ("model__name",)
    list_select_related = ("model",)


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnly):
    list_display = ("model_version", "suite", "mean", "loss", "created_at")
    list_filter = ("suite",)
    search_fields = ("model_version__model__name",)
    list_select_related = ("model_version__model",)


@admin.register(Deployment)
class DeploymentAdmin(ReadOnly):
    list_display = ("name", "project", "state", "model_version", "runtime", "replicas", "created_at")
    list_filter = ("wanted", "runtime", "project")
    search_fields = ("name",)
    exclude = ("external_key",)
    actions: ClassVar = ["start", "stop"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        rows: QuerySet[Deployment] = super().get_queryset(request)
        return selectors.with_instances(rows.select_related("project", "model_version__model"))

    @admin.display(description=_("State"))
    def state(self, deployment: Deployment) -> str:
        return str(selectors.state_of(deployment).label)

    @admin.action(description=_("Start"))
    def start(self, request: HttpRequest, deployments: QuerySet[Deployment]) -> None:
        each(request, deployments, lambda row: start_deployment(System(request.user), row))

    @admin.action(description=_("Stop"))
    def stop(self, request: HttpRequest, deployments: QuerySet[Deployment]) -> None:
        each(request, deployments, lambda row: stop_deployment(System(request.user), row))


@admin.register(Usage)
class UsageAdmin(ReadOnly):
    list_display = (
        "response_id",
        "project",
        "model",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "status",
        "at",
    )
    list_filter = ("status", "project")
    search_fields = ("response_id", "model")
    list_select_related = ("project",)
    date_hierarchy = "at"


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly):
    list_display = ("response_id", "project", "score", "comment", "created_at")
    list_filter = ("project",)
    search_fields = ("response_id", "comment")
    list_select_related = ("project",)
