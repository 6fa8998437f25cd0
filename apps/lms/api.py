"""`/api/v1/`: models, model-versions, evaluations and deployments."""

from typing import Any, ClassVar

from django.db.models import Count, Max, QuerySet
from django.http import FileResponse
from django_filters.rest_framework import CharFilter, FilterSet
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Project
from apps.core.rest import IdempotentCreate, ReadOnlyProjectViewSet
from apps.core.selectors import as_uuid
from apps.core.storage import storage
from apps.gpucloud.services import submit_job
from apps.lms import selectors, serializers, services
from apps.lms.models import Deployment, Evaluation, Model, ModelVersion

BINARY = "application/octet-stream"
"""Of every file of a model: a name such as `card.html` decides nothing."""


class ModelsViewSet(mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Names under which versions stand in line. Versions come from jobs: `lms.import`, `lmt.sft`."""

    queryset = Model.objects.select_related("project").annotate(
        newest=Max("versions__number"), version_count=Count("versions")
    )
    serializer_class = serializers.ModelSerializer
    rights: ClassVar = {"destroy": "run"}
    filterset_fields = ("name",)
    ordering_fields = ("name", "created_at")

    def partial_update(self, request: Request, pk: str) -> Response:
        model = self.get_object()
        fields = self.get_serializer(model, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        services.update_model(self.actor, model, **fields.validated_data)
        return Response(self.get_serializer(model).data)

    def perform_destroy(self, model: Model) -> None:
        services.delete_model(self.actor, model)


class VersionFilters(FilterSet):
    model = CharFilter(method="of_model", help_text="Id or name of the model.")

    class Meta:
        model = ModelVersion
        fields = ("model", "number", "family")

    def of_model(self, rows: QuerySet, field: str, value: str) -> QuerySet:
        known = as_uuid(value)
        return rows.filter(model=known) if known else rows.filter(model__name=value)


class ModelVersionsViewSet(ReadOnlyProjectViewSet):
    """Weights that never change; only the card may be rewritten."""

    queryset = ModelVersion.objects.select_related("model__project", "artefact")
    serializer_class = serializers.ModelVersionSerializer
    project_field = "model__project"
    artefact_field = "artefact"
    filterset_class = VersionFilters
    ordering_fields = ("number", "created_at")

    def partial_update(self, request: Request, pk: str) -> Response:
        version = self.get_object()
        fields = self.get_serializer(version, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        services.update_model_version(self.actor, version, card=fields.validated_data.get("card", version.card))
        return Response(self.get_serializer(version).data)

    @extend_schema(operation_id="model_versions_files_list", responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def files(self, request: Request, pk: str) -> Response:
        """Its files with their sizes and hashes."""
        manifest = self.get_object().artefact.manifest
        return Response({"files": [{"path": path, **entry} for path, entry in sorted(manifest.items())]})

    @extend_schema(responses={(200, BINARY): OpenApiTypes.BINARY})
    @action(detail=True, url_path="files/(?P<path>.+)", url_name="file")
    def file(self, request: Request, pk: str, path: str) -> FileResponse:
        """One file. Only what the manifest names exists."""
        entry = self.get_object().artefact.manifest.get(path.rstrip("/"))
        if entry is None:
            raise NotFound("There is no such file in this version.")
        name = path.rstrip("/").rpartition("/")[2]
        response = FileResponse(storage().open(entry["sha256"]), as_attachment=True, filename=name, content_type=BINARY)
        response["Content-Length"] = str(entry["size"])
        return response


class EvaluationsViewSet(IdempotentCreate, mixins.CreateModelMixin, ReadOnlyProjectViewSet):
    """What was found about models. Creating one starts a job of kind `lms.evaluate` and returns it."""

    queryset = Evaluation.objects.select_related("artefact__project", "model_version__model", "job")
    serializer_class = serializers.EvaluationSerializer
    project_field = "artefact__project"
    filterset_fields = ("suite", "model_version", "job")
    ordering_fields = ("created_at", "mean", "loss")

    @extend_schema(request=OpenApiTypes.OBJECT, responses={202: OpenApiTypes.OBJECT})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        project = self.get_project()
        params = {name: value for name, value in request.data.items() if name not in {"project", "name"}}
        job = submit_job(self.actor, project, "lms.evaluate", params, name=str(request.data.get("name", "")))
        return Response({"job": str(job.pk), "state": job.state}, status=status.HTTP_202_ACCEPTED)


class DeploymentCreation(mixins.CreateModelMixin):
    def create(self, request: Request) -> Response:
        project = self.get_project()  # type: ignore[attr-defined]
        fields = self.get_serializer(data=request.data)  # type: ignore[attr-defined]
        fields.is_valid(raise_exception=True)
        wanted = dict(fields.validated_data)
        version = _version(self.actor, project, wanted.pop("model", ""))  # type: ignore[attr-defined]
        deployment = services.create_deployment(self.actor, project, model_version=version, **wanted)  # type: ignore[attr-defined]
        return Response(self.get_serializer(deployment).data, status=status.HTTP_201_CREATED)  # type: ignore[attr-defined]


class DeploymentsViewSet(IdempotentCreate, DeploymentCreation, mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Models behind the gateway. `PATCH` rolls to another `model` or number of `replicas`."""

    queryset = selectors.with_instances(Deployment.objects.select_related("project", "model_version__model"))
    serializer_class = serializers.DeploymentSerializer
    write_right = "deploy"
    filterset_fields = ("name", "wanted", "model_version")
    ordering_fields = ("name", "created_at")

    def partial_update(self, request: Request, pk: str) -> Response:
        deployment = self.get_object()
        fields = self.get_serializer(deployment, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        changes = dict(fields.validated_data)
        if changes.pop("name", deployment.name) != deployment.name:
            raise InvalidInput("A deployment keeps its name: programs ask for it.", field="name")
        if "model" in changes:
            changes["model_version"] = _version(self.actor, deployment.project, changes.pop("model"))
        return self._answer(services.update_deployment(self.actor, deployment, **changes))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """End its instances; the name stays."""
        return self._answer(services.stop_deployment(self.actor, self.get_object()))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Start a stopped one, or try a failed one again."""
        return self._answer(services.start_deployment(self.actor, self.get_object()))

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def usage(self, request: Request, pk: str) -> Response:
        """Calls, tokens and times of the last 24 hours."""
        return Response(selectors.usage_of(self.get_object()))

    def perform_destroy(self, deployment: Deployment) -> None:
        services.delete_deployment(self.actor, deployment)

    def _answer(self, deployment: Deployment) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=deployment.pk)).data)


def _version(actor: Any, project: Project, ref: str) -> ModelVersion | None:
    """By id, `name` or `name:number`; None when nothing is named. Raises InvalidInput naming the field."""
    if not ref:
        return None
    try:
        return selectors.get_version(actor, project, ref)
    except NotFound as error:
        wrong = [{"field": "model", "message": str(error)}]
        raise InvalidInput(error.message, **error.data, field="model", errors=wrong) from None


def register(router: SimpleRouter) -> None:
    """Called by aifs/urls.py, like every app's."""
    router.register("models", ModelsViewSet, "model")
    router.register("model-versions", ModelVersionsViewSet, "model-version")
    router.register("evaluations", EvaluationsViewSet, "evaluation")
    router.register("deployments", DeploymentsViewSet, "deployment")
