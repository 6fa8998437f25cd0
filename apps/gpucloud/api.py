"""`/api/v1/`: job-kinds, jobs, nodes, accelerators, quotas."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import get_language, gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from apps.core.errors import InvalidInput, NotFound
from apps.core.rest import CursorPagination, IdempotentCreate, ReadOnlyProjectViewSet
from apps.core.rest.filters import StrictFilters, StrictOrdering, refuse_unknown
from apps.gpucloud import charts, costs, logs, selectors, serializers, services
from apps.gpucloud.models import Accelerator, Job, JobState, Node, Quota
from apps.gpucloud.stream import Dismissed, as_seq, follow
from workers.kinds import Kind, kinds

LINES_MAX = 5_000
WORDS_MAX = 200
KEEP_ALIVE = ": still here\n\n"
MARKED = ("title", "description", "unit", "group")


class JobFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=JobState.choices)
    kind = django_filters.CharFilter(max_length=60)
    name = django_filters.CharFilter(max_length=200)
    service = django_filters.BooleanFilter()
    active = django_filters.BooleanFilter(method="filter_active")

    class Meta:
        model = Job
        fields: ClassVar = ["state", "kind", "name", "service"]

    def filter_active(self, jobs: QuerySet[Job], name: str, value: bool) -> QuerySet[Job]:
        return jobs.filter(state__in=Job.ACTIVE if value else Job.ENDED)


class JobKindsViewSet(viewsets.ViewSet):
    """What can be started, with the JSON Schema of its parameters in the caller's language."""

    right = "signed_in"
    lookup_value_regex = "[^/]+"

    @extend_schema(operation_id="job_kinds_list", responses=OpenApiTypes.OBJECT)
    def list(self, request: Request) -> Response:
        refuse_unknown(request, {"format"})
        return Response(
            {"results": [describe_kind(kind) for _name, kind in kinds.items()], "next": None, "previous": None}
        )

    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=[OpenApiParameter("id", str, OpenApiParameter.PATH)])
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(describe_kind(kinds.get(pk)))


def describe_kind(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "label": gettext(kind.label),
        "description": " ".join(kind.doc.split()),
        "service": kind.service,
        "simple": kind.simple,
        "resources": asdict(kind.resources),
        "params": translated(kind.params.model_json_schema()),
    }


def translated(schema: Any) -> Any:
    """A JSON Schema with its marked texts in the reader's language."""
    if isinstance(schema, list):
        return [translated(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: gettext(value) if name in MARKED and isinstance(value, str) and value else translated(value)
        for name, value in schema.items()
    }


class AnyAccept(DefaultContentNegotiation):
    """Event streams are asked for as text/event-stream, for which DRF has no renderer; errors stay JSON."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class SubmitMixin:
    """The creating call itself, under `IdempotentCreate`."""

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        project = self.get_project()  # type: ignore[attr-defined]
        fields = serializers.JobSubmitSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = dict(fields.validated_data)
        wanted.pop("project", None)
        wanted["after"] = [self._earlier(id) for id in wanted["after"]]
        actor = self.actor  # type: ignore[attr-defined]
        job = services.submit_job(actor, project, wanted.pop("kind"), wanted.pop("params"), **wanted)
        return Response(serializers.JobDetailSerializer(job).data, status=status.HTTP_201_CREATED)

    def _earlier(self, id: UUID) -> Job:
        try:
            return selectors.get_job(self.actor, id)  # type: ignore[attr-defined]
        except NotFound as error:
            raise InvalidInput(error.message, errors=[{"field": "after", "message": str(id)}]) from None


class JobsViewSet(IdempotentCreate, SubmitMixin, ReadOnlyProjectViewSet):
    """Everything long is a job: start it, watch it, stop it, start it again."""

    queryset = costs.with_cost(Job.objects.select_related("project", "created_by"))
    write_right = "view"  # the services know which right each kind needs
    filterset_class = JobFilter
    ordering_fields = ("created_at", "priority", "state")
    content_negotiation_class = AnyAccept
    known_params: ClassVar = {
        "events": ("since",),
        "logs": ("after", "before", "tail", "q", "limit"),
        "metrics": ("names", "points", "from", "to"),
    }

    @property
    def query_params(self) -> tuple[str, ...]:  # type: ignore[override]
        """What each way of watching may be asked; anything else is refused."""
        return self.known_params.get(self.action or "", ())

    def get_serializer_class(self) -> type[serializers.JobSerializer]:
        return serializers.JobSerializer if self.action == "list" else serializers.JobDetailSerializer

    def answer(self, job: Job, code: int = status.HTTP_200_OK) -> Response:
        return Response(serializers.JobDetailSerializer(job, context=self.get_serializer_context()).data, status=code)

    @extend_schema(request=serializers.JobSubmitSerializer, responses={201: serializers.JobDetailSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().create(request, *args, **kwargs)

    # --- deeds

    @extend_schema(request=serializers.JobUpdateSerializer, responses=serializers.JobDetailSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename it, or move it in the queue."""
        job = self.get_object()
        fields = serializers.JobUpdateSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        services.update_job(self.actor, job, **fields.validated_data)
        return self.answer(job)

    @extend_schema(request=None, responses=serializers.JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Ask it to stop. It is `cancelled` once its processes are gone."""
        job = self.get_object()
        services.cancel_job(self.actor, job)
        return self.answer(job)

    @extend_schema(request=None, responses=serializers.JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """The same job from its start."""
        job = self.get_object()
        services.retry_job(self.actor, job)
        return self.answer(job)

    @extend_schema(request=serializers.JobResumeSerializer, responses=serializers.JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """The same job from its newest valid checkpoint, or from the one at `step`."""
        job = self.get_object()
        fields = serializers.JobResumeSerializer(data=request.data or {})
        fields.is_valid(raise_exception=True)
        services.resume_job(self.actor, job, fields.validated_data["step"])
        return self.answer(job)

    @extend_schema(request=serializers.CheckpointPublishSerializer, responses={201: serializers.JobDetailSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Make a model of the checkpoint at `step`: answers the job that does it."""
        job = self.get_object()
        fields = serializers.CheckpointPublishSerializer(data=request.data or {})
        fields.is_valid(raise_exception=True)
        return self.answer(
            services.publish_checkpoint(self.actor, job, **fields.validated_data), status.HTTP_201_CREATED
        )

    @extend_schema(request=serializers.JobCloneSerializer, responses={201: serializers.JobDetailSerializer})
    @action(detail=True, methods=["post"])
    def clone(self, request: Request, pk: str) -> Response:
        """A new job like this one, with the given changes."""
        job = self.get_object()
        fields = serializers.JobCloneSerializer(data=request.data or {})
        fields.is_valid(raise_exception=True)
        return self.answer(services.clone_job(self.actor, job, **fields.validated_data), status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={201: serializers.JobDetailSerializer})
    @action(detail=True, methods=["post"])
    def reproduce(self, request: Request, pk: str) -> Response:
        """A new job with the recorded parameters and seed on the recorded inputs."""
        return self.answer(services.reproduce_job(self.actor, self.get_object()), status.HTTP_201_CREATED)

    # --- watching

    @extend_schema(
        parameters=[OpenApiParameter("since", int, description="Only events after this sequence number.")],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    @action(detail=True, methods=["get"])
    def events(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Server-sent events from a sequence number (`since` or `Last-Event-ID`) until the job has ended."""
        job = self.get_object()
        since = request.query_params.get("since") or request.headers.get("Last-Event-ID") or ""
        actor, project = self.actor, job.project
        news = server_sent(job.pk, as_seq(since), lambda: actor.still_may("view", project))
        response = StreamingHttpResponse(news, content_type="text/event-stream")
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
        return response

    @extend_schema(
        parameters=[
            OpenApiParameter("after", int, description="Lines after this number (from the start unless given)."),
            OpenApiParameter("before", int, description="The lines right before this number."),
            OpenApiParameter("tail", int, description="The last so many lines."),
            OpenApiParameter("q", str, description="Only lines after `after` that hold these words."),
            OpenApiParameter("limit", int),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    @action(detail=True, methods=["get"])
    def logs(self, request: Request, pk: str) -> Response:
        """A window of the log: {"lines", "next", "previous", "last"}.

        `next` is the number to pass as `after` to go on, null when there is no more for now; a search stops after 2 MiB
        of log, so it may have a `next` and no lines. `previous` goes to `before`; `last` is the newest line's number.
        """
        job, asked = self.get_object(), request.query_params
        limit = min(as_seq(asked.get("limit", "1000")) or 1000, LINES_MAX)
        if asked.get("q"):
            window = logs.search(job, asked["q"][:WORDS_MAX], as_seq(asked.get("after", "0")), limit)
        elif "tail" in asked:
            window = logs.read_end(job, min(as_seq(asked["tail"]) or limit, LINES_MAX))
        elif "before" in asked:
            window = logs.read_before(job, as_seq(asked["before"]), limit)
        else:
            window = logs.read_after(job, as_seq(asked.get("after", "0")), limit)
        last = selectors.last_line(job)
        return Response({"lines": window.lines, "next": window.after, "previous": window.before, "last": last})

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "names",
                str,
                description="Names separated by commas; every series unless given. "
                "With `points`: `device.*` for all that begin so.",
            ),
            OpenApiParameter("points", int, description="At most so many of each: lowest and highest of each stretch."),
            OpenApiParameter("from", int, description="With `points`: from this step on."),
            OpenApiParameter("to", int, description="With `points`: up to this step."),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    @action(detail=True, methods=["get"])
    def metrics(self, request: Request, pk: str) -> Response:
        """Every series, or those named: {"series": {name: {"steps", "values", "times"}}}; with `points`, as many as a
        chart can show, and `thinned` where there are more."""
        job, asked = self.get_object(), request.query_params
        names = [name for name in asked.get("names", "").split(",") if name and name != "*"]
        if "points" not in asked:
            return Response({"series": selectors.read_metrics(job, names)})
        most = min(as_seq(asked["points"]) or charts.POINTS_MAX, charts.POINTS_MAX)
        first, last = (as_seq(asked[name]) if name in asked else None for name in ("from", "to"))
        return Response({"series": charts.read_chart(job, names, most, first, last)})

    @extend_schema(responses=serializers.SamplesSerializer)
    @action(detail=True, methods=["get"])
    def samples(self, request: Request, pk: str) -> Response:
        """What the model answered to the same few questions along the way, step by step."""
        return Response({"samples": selectors.list_samples(self.get_object())})


async def server_sent(job_id: UUID, since: int, may_see: Callable[[], bool]) -> AsyncIterator[str]:
    """Each event as `id`, `event` and `data`. The first message brings all events since the given number."""
    yield KEEP_ALIVE
    with contextlib.suppress(Dismissed):
        async for message in follow(job_id, since, get_language() or "en", may_see, history=True):
            if message is None:
                yield KEEP_ALIVE
                continue
            state = {"seq": message["seq"], "type": "job", **message["job"]}
            for event in [*message["events"], state]:
                yield f"id: {event['seq']}\nevent: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"


class SignedInReadOnlyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Nodes and devices are shared by all projects: every member of any project may look at them."""

    right = "signed_in"
    filter_backends = (StrictFilters, StrictOrdering)
    pagination_class = CursorPagination

    def get_queryset(self) -> QuerySet:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        return rows if self.request.actor.projects().exists() else rows.none()  # type: ignore[attr-defined]


class NodesViewSet(SignedInReadOnlyViewSet):
    """Machines with an agent, and what they hold."""

    queryset = Node.objects.prefetch_related("accelerators__node")
    serializer_class = serializers.NodeSerializer
    filterset_fields = ("name", "pool", "state")


class AcceleratorsViewSet(SignedInReadOnlyViewSet):
    """Every device of every node; the processor is one, of vendor `cpu`."""

    queryset = Accelerator.objects.select_related("node")
    serializer_class = serializers.AcceleratorSerializer
    filterset_fields = ("node", "vendor", "health")


class QuotasViewSet(ReadOnlyProjectViewSet):
    """What a project's running jobs and services may hold at once, and what they hold now. A project that is not listed
    has no limit. Operators change quotas, in the admin."""

    queryset = Quota.objects.select_related("project")
    serializer_class = serializers.QuotaSerializer

    def paginate_queryset(self, queryset: QuerySet[Quota]) -> list[Quota]:
        return selectors.with_use(super().paginate_queryset(queryset) or [])

    def get_object(self) -> Quota:
        return selectors.with_use([super().get_object()])[0]


def register(router: SimpleRouter) -> None:
    """Called by aifs/urls.py, like every app's."""
    router.register("job-kinds", JobKindsViewSet, "job-kind")
    router.register("jobs", JobsViewSet, "job")
    router.register("nodes", NodesViewSet, "node")
    router.register("accelerators", AcceleratorsViewSet, "accelerator")
    router.register("quotas", QuotasViewSet, "quota")
