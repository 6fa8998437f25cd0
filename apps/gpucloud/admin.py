"""The operators' desk for nodes, quotas and jobs."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList

from apps.core.access import Operator
from apps.core.desk import each
from apps.core.services import record_audit
from apps.gpucloud.models import Accelerator, Attempt, Job, Node, NodeState, Quota
from apps.gpucloud.selectors import with_use
from apps.gpucloud.services.jobs import request_cancel, retry_job
from apps.gpucloud.services.nodes import set_node_state
from apps.gpucloud.services.wakeups import wake_scheduler


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
        def put(node: Node) -> None:
            set_node_state(node, state)
            record_audit(Operator(request.user), f"node.{state}", node)  # type: ignore[arg-type]

        each(request, nodes, put)


WHAT_A_QUOTA_IS = _(
    "What the project's running jobs and deployments may hold together. Empty is no limit; with 0 nothing that needs it"
    " starts. What runs already goes on when a quota is lowered. Memory is what jobs promise to keep to: one that"
    " promises nothing adds nothing."
)


class QuotaList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """What is used is asked for once, for all rows that are shown."""
        super().get_results(request)
        self.result_list = with_use(self.result_list)


@admin.register(Quota)
class QuotaAdmin(ModelAdmin):
    list_display = ("project", "cores_used", "memory_used", "accelerators_used", "jobs_used", "updated_at")
    list_select_related = ("project",)
    search_fields = ("project__slug", "project__name")
    autocomplete_fields: ClassVar = ["project"]
    fieldsets = (
        (
            None,
            {
                "fields": ("project", "cpus", "memory_mib", "accelerators", "running_jobs"),
                "description": WHAT_A_QUOTA_IS,
            },
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuotaList

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A quota does not move to another project."""
        return ("project",) if obj else ()

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Quota, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._tell(request, "quota.update" if change else "quota.create", obj)

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Quota) -> None:
        self._tell(request, "quota.delete", obj)
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Quota]) -> None:
        for quota in queryset.select_related("project"):
            self.delete_model(request, quota)

    def _tell(self, request: HttpRequest, action: str, quota: Quota) -> None:
        """The audit, and the scheduler: what waited may start now."""
        record_audit(Operator(request.user), action, quota, **quota.limits)  # type: ignore[arg-type]
        wake_scheduler()

    @admin.display(description=_("Cores used"), ordering="cpus")
    def cores_used(self, quota: Quota) -> str:
        return _of(quota, "cpus")

    @admin.display(description=_("Memory promised (MiB)"), ordering="memory_mib")
    def memory_used(self, quota: Quota) -> str:
        return _of(quota, "memory_mib")

    @admin.display(description=_("Accelerators used"), ordering="accelerators")
    def accelerators_used(self, quota: Quota) -> str:
        return _of(quota, "accelerators")

    @admin.display(description=_("Jobs running"), ordering="running_jobs")
    def jobs_used(self, quota: Quota) -> str:
        return _of(quota, "running_jobs")


def _of(quota: Quota, name: str) -> str:
    """“3 / 8”; “3 / —” where there is no limit."""
    limit = getattr(quota, name)
    return f"{number_format(quota.used[name])} / {'—' if limit is None else number_format(limit)}"


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
        each(request, jobs, lambda job: retry_job(Operator(request.user), job))  # type: ignore[arg-type]

    @admin.action(description=_("Ask the chosen jobs to stop"))
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        def ask(job: Job) -> None:
            request_cancel(job)
            record_audit(Operator(request.user), "job.cancel", job)  # type: ignore[arg-type]

        each(request, jobs, ask)
