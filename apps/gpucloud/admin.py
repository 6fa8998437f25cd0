"""The operators' desk for nodes and jobs."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from apps.core.access import Operator
from apps.core.errors import AifsError, translate
from apps.core.services import record_audit
from apps.gpucloud.models import Accelerator, Attempt, Job, Node, NodeState
from apps.gpucloud.services.jobs import request_cancel, retry_job
from apps.gpucloud.services.nodes import set_node_state


class ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AcceleratorInline(ReadOnlyInline):
    model = Accelerator
    fields = (
        "vendor",
        "index",
        "model",
        "memory_total_mib",
        "memory_used_mib",
        "utilisation_pct",
        "temperature_c",
        "power_w",
        "health",
    )


class AttemptInline(ReadOnlyInline):
    model = Attempt
    fields = ("number", "node", "state", "exit_code", "peak_memory_mib", "started_at", "ended_at")


@admin.register(Node)
class NodeAdmin(ModelAdmin):
    list_display = ("name", "pool", "state", "cpus", "memory_mib", "disk_free_mib", "load", "heartbeat_at")
    list_filter = ("state", "pool")
    search_fields = ("name",)
    readonly_fields = ("cpus", "memory_mib", "disk_free_mib", "load", "agent_id", "heartbeat_at", "state")
    inlines: ClassVar = [AcceleratorInline]
    actions: ClassVar = ["cordon", "drain", "make_ready"]

    def save_model(self, request: HttpRequest, obj: Node, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        record_audit(Operator(request.user), "node.update", obj, fields=form.changed_data)  # type: ignore[arg-type]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A node joins by its agent."""
        return False

    @admin.action(description=_("Cordon: keep what runs, take no more"))
    def cordon(self, request: HttpRequest, nodes: QuerySet[Node]) -> None:
        self._set(request, nodes, NodeState.CORDONED)

    @admin.action(description=_("Drain: ask what runs for a checkpoint and move it"))
    def drain(self, request: HttpRequest, nodes: QuerySet[Node]) -> None:
        self._set(request, nodes, NodeState.DRAINING)

    @admin.action(description=_("Take jobs again"))
    def make_ready(self, request: HttpRequest, nodes: QuerySet[Node]) -> None:
        self._set(request, nodes, NodeState.READY)

    def _set(self, request: HttpRequest, nodes: QuerySet[Node], state: NodeState) -> None:
        for node in nodes:
            set_node_state(node, state)
            record_audit(Operator(request.user), f"node.{state}", node)  # type: ignore[arg-type]


@admin.register(Job)
class JobAdmin(ModelAdmin):
    list_display = (
        "__str__",
        "kind",
        "project",
        "state",
        "priority",
        "attempt_count",
        "created_by",
        "created_at",
        "ended_at",
    )
    list_filter = ("state", "kind", "service")
    search_fields = ("name", "kind", "id")
    date_hierarchy = "created_at"
    inlines: ClassVar = [AttemptInline]
    list_select_related = ("project", "created_by")
    actions: ClassVar = ["cancel", "retry"]
    fields = (
        "id", "project", "kind", "name", "state", "reason", "progress", "params", "resources", "priority",
        "attempt_count", "failures", "cancel_requested_at", "created_by", "created_at", "started_at", "ended_at",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Operators change a job's place in the queue; all else is history."""
        return tuple(name for name in self.fields if name != "priority")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        record_audit(Operator(request.user), "job.update", obj, priority=obj.priority)  # type: ignore[arg-type]

    @admin.action(description=_("Start the chosen jobs again"))
    def retry(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        for job in jobs:
            try:
                retry_job(Operator(request.user), job)  # type: ignore[arg-type]
            except AifsError as error:
                self.message_user(request, f"{job}: {translate(error.message, error.data)}", messages.WARNING)

    @admin.action(description=_("Ask the chosen jobs to stop"))
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        for job in jobs:
            try:
                request_cancel(job)
                record_audit(Operator(request.user), "job.cancel", job)  # type: ignore[arg-type]
            except AifsError as error:
                self.message_user(request, f"{job}: {translate(error.message, error.data)}", messages.WARNING)
