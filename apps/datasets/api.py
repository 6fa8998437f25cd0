"""`/api/v1/`: datasets and dataset-versions, with their rows, quarantine, export and previews."""

from typing import Any, ClassVar

import django_filters
from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext_noop as _
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from apps.core.errors import InvalidInput
from apps.core.rest import IdempotentCreate, ReadOnlyProjectViewSet
from apps.core.selectors import as_uuid, get_upload
from apps.datasets import exports, previews, selectors, serializers, services
from apps.datasets.models import Dataset, DatasetVersion

PAGING = [OpenApiParameter("offset", OpenApiTypes.INT), OpenApiParameter("limit", OpenApiTypes.INT)]
ROWS_MAX = 1000


class DatasetCreation(mixins.CreateModelMixin):
    def create(self, request: Request) -> Response:
        project = self.get_project()  # type: ignore[attr-defined]
        fields = self.get_serializer(data=request.data)  # type: ignore[attr-defined]
        fields.is_valid(raise_exception=True)
        dataset = services.create_dataset(self.actor, project, **fields.validated_data)  # type: ignore[attr-defined]
        return Response(self.get_serializer(dataset).data, status=status.HTTP_201_CREATED)  # type: ignore[attr-defined]


class DatasetsViewSet(IdempotentCreate, DatasetCreation, mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Names under which versions stand in line. Rows come in by the job kind `datasets.import`."""

    queryset = selectors.with_newest(Dataset.objects.all())
    serializer_class = serializers.DatasetSerializer
    rights: ClassVar = {"destroy": "run"}
    filterset_fields = ("name", "kind")
    ordering_fields = ("name", "created_at")

    @extend_schema(request=serializers.DatasetUpdateSerializer, responses=serializers.DatasetSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        dataset = self.get_object()
        fields = serializers.DatasetUpdateSerializer(dataset, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        services.update_dataset(self.actor, dataset, **fields.validated_data)
        return Response(self.get_serializer(dataset).data)

    @extend_schema(request=serializers.CaseSerializer, responses={201: serializers.DatasetVersionSerializer})
    @action(detail=False, methods=["post"], url_path="cases", url_name="add-case")
    def add_case(self, request: Request) -> Response:
        """Keep a question with the answer that is expected: the next version of a dataset for evaluation has it as its
        last row. The dataset is made when it is not there; a case that is there already changes nothing."""
        project = self.get_project()
        fields = serializers.CaseSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        given = fields.validated_data
        version = services.add_case(self.actor, project, given["name"], given["messages"])
        shown = serializers.DatasetVersionSerializer(version, context=self.get_serializer_context())
        return Response(shown.data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, dataset: Dataset) -> None:
        services.delete_dataset(self.actor, dataset)


class VersionFilters(django_filters.FilterSet):
    dataset = django_filters.CharFilter(method="by_dataset", help_text="Id or name of the dataset.")
    name = django_filters.CharFilter("dataset__name")
    number = django_filters.NumberFilter("number")
    format = django_filters.CharFilter("format")

    def by_dataset(self, versions: QuerySet, field: str, ref: str) -> QuerySet:
        known = as_uuid(ref)
        return versions.filter(Q(dataset=known) if known else Q(dataset__name=ref))


class DatasetVersionsViewSet(ReadOnlyProjectViewSet):
    """Rows that never change."""

    queryset = DatasetVersion.objects.select_related("dataset__project", "artefact")
    serializer_class = serializers.DatasetVersionSerializer
    project_field = "dataset__project"
    artefact_field = "artefact"
    filterset_class = VersionFilters
    ordering_fields = ("number", "created_at", "rows")
    rights: ClassVar = {"preview_upload": "run_simple", "trial": "view", "quarantine": "view", "dropped": "view"}

    def is_reading(self) -> bool:
        """A trial stores nothing, so it reads what is shared as well; rows put aside are nobody's but the project's."""
        return (super().is_reading() or self.action == "trial") and self.action not in {"quarantine", "dropped"}

    def filter_queryset(self, versions: QuerySet) -> QuerySet:
        """Filters are for the list; `?format=` of an export says something else."""
        return super().filter_queryset(versions) if self.action == "list" else versions

    @extend_schema(parameters=PAGING, responses=serializers.RowsSerializer)
    @action(detail=True)
    def rows(self, request: Request, pk: str) -> Response:
        """Rows from `offset` on."""
        return self._page("data")

    @extend_schema(parameters=PAGING, responses=serializers.RowsSerializer)
    @action(detail=True)
    def preview(self, request: Request, pk: str) -> Response:
        """The first rows."""
        return self._page("data")

    @extend_schema(parameters=PAGING, responses=serializers.RowsSerializer)
    @action(detail=True)
    def quarantine(self, request: Request, pk: str) -> Response:
        """Rows that could not be read: number, reason, detail and how they came."""
        return self._page("quarantine")

    @extend_schema(parameters=PAGING, responses=serializers.RowsSerializer)
    @action(detail=True)
    def dropped(self, request: Request, pk: str) -> Response:
        """Rows that cleaning left out: number, step, reason, detail and the row itself."""
        return self._page("dropped")

    @extend_schema(
        parameters=[OpenApiParameter("format", OpenApiTypes.STR, enum=list(exports.FORMATS))],
        responses={(200, name.partition(";")[0]): OpenApiTypes.BINARY for name, _write in exports.FORMATS.values()},
    )
    @action(detail=True)
    def export(self, request: Request, pk: str) -> StreamingHttpResponse:
        """All rows as a file: `jsonl` (default), `csv` or `parquet`."""
        return exports.export_version(self.get_object(), request.query_params.get("format", "jsonl"))

    @extend_schema(request=serializers.RecipeSerializer, responses=OpenApiTypes.OBJECT)
    @action(detail=True, methods=["post"])
    def trial(self, request: Request, pk: str) -> Response:
        """A recipe tried on the first rows: counts step by step, rows before and after. Nothing is stored."""
        version = self.get_object()
        fields = serializers.RecipeSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        return Response(previews.try_recipe(version, fields.validated_data["steps"]))

    @extend_schema(request=serializers.UploadPreviewSerializer, responses=OpenApiTypes.OBJECT)
    @action(detail=False, methods=["post"], url_path="preview", url_name="preview-upload")
    def preview_upload(self, request: Request) -> Response:
        """What an import would make of an upload: format, encoding, first rows, bad rows. Nothing is stored."""
        project = self.get_project()
        fields = serializers.UploadPreviewSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = dict(fields.validated_data)
        upload = get_upload(self.actor, project, wanted.pop("upload"))
        return Response(previews.preview_upload(upload, **wanted))

    def _page(self, name: str) -> Response:
        version = self.get_object()
        offset, limit = whole(self.request, "offset", 0), min(whole(self.request, "limit", 50), ROWS_MAX)
        count = selectors.count_rows(version, name)
        rows: list[dict[str, Any]] = selectors.read_rows(version, name, offset, limit) if offset < count else []
        end = offset + len(rows)
        return Response({"rows": rows, "offset": offset, "count": count, "next": end if end < count else None})


def whole(request: Request, name: str, default: int) -> int:
    """A whole number from the query. Raises InvalidInput."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidInput(_("“%(name)s” must be a whole number."), name=name)
    return int(text)


def register(router: SimpleRouter) -> None:
    """Called by aifs/urls.py, like every app's."""
    router.register("datasets", DatasetsViewSet, "dataset")
    router.register("dataset-versions", DatasetVersionsViewSet, "dataset-version")
