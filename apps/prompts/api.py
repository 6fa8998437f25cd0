"""`/api/v1/`: prompts, prompt-versions (with test and publish) and prompt-services."""

from typing import Any, ClassVar

from django.db.models import Max
from django.utils.translation import gettext_noop as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from apps.core.errors import InvalidInput
from apps.core.rest import IdempotentCreate, ReadOnlyProjectViewSet
from apps.lms.models import Deployment
from apps.prompts import running, selectors, serializers, services, templating
from apps.prompts.models import Prompt, PromptService, PromptVersion


class PromptCreation(mixins.CreateModelMixin):
    def create(self, request: Request) -> Response:
        project = self.get_project()  # type: ignore[attr-defined]
        fields = self.get_serializer(data=request.data)  # type: ignore[attr-defined]
        fields.is_valid(raise_exception=True)
        prompt = services.create_prompt(self.actor, project, **fields.validated_data)  # type: ignore[attr-defined]
        return Response(self.get_serializer(prompt).data, status=status.HTTP_201_CREATED)  # type: ignore[attr-defined]


class PromptsViewSet(IdempotentCreate, PromptCreation, mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Names under which versions stand in line."""

    queryset = Prompt.objects.select_related("project").annotate(newest=Max("versions__number"))
    serializer_class = serializers.PromptSerializer
    filterset_fields = ("name",)
    ordering_fields = ("name", "created_at", "updated_at")

    def partial_update(self, request: Request, pk: str) -> Response:
        prompt = self.get_object()
        description = request.data.get("description", prompt.description)
        services.update_prompt(self.actor, prompt, description=str(description))
        return Response(self.get_serializer(prompt).data)

    def perform_destroy(self, prompt: Prompt) -> None:
        services.delete_prompt(self.actor, prompt)


class PromptVersionCreation(mixins.CreateModelMixin):
    def create(self, request: Request) -> Response:
        fields = self.get_serializer(data=request.data)  # type: ignore[attr-defined]
        fields.is_valid(raise_exception=True)
        given = fields.validated_data
        prompt = self.get_prompt()  # type: ignore[attr-defined]
        version = services.create_version(
            self.actor,  # type: ignore[attr-defined]
            prompt,
            messages=given["messages"],
            variables=given.get("variables"),
            deployment=_deployment(prompt, (given.get("deployment") or {}).get("name")),
            settings=given.get("settings"),
            note=given.get("note", ""),
        )
        return Response(self.get_serializer(version).data, status=status.HTTP_201_CREATED)  # type: ignore[attr-defined]


class PromptVersionsViewSet(IdempotentCreate, PromptVersionCreation, ReadOnlyProjectViewSet):
    """Templates that never change. Saving what the newest version already holds gives that version."""

    queryset = PromptVersion.objects.select_related("prompt__project", "deployment", "artefact").order_by("-number")
    serializer_class = serializers.PromptVersionSerializer
    project_field = "prompt__project"
    rights: ClassVar = {"publish": "publish"}
    filterset_fields = ("prompt", "number")
    ordering_fields = ("number", "created_at")

    def get_prompt(self) -> Prompt:
        """The prompt a new version belongs to, by id, or by name in the project named or the key's own."""
        named = str(self.request.data.get("prompt", ""))
        prompt = selectors.list_prompts(self.actor).filter(pk=selectors.as_uuid(named)).first()
        return prompt or selectors.get_prompt(self.actor, super().get_project(), named)

    def get_project(self) -> Any:
        """Of the prompt; IdempotentCreate asks for it."""
        project = self.get_prompt().project
        self.actor.require(self.required_right(), project)
        return project

    @extend_schema(request=serializers.TestSerializer, responses=serializers.AnswerSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Render the version with values and let a deployment answer."""
        version = self.get_object()
        fields = serializers.TestSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        named = fields.validated_data["deployment"]
        deployment = _deployment(version.prompt, named) if named else version.deployment
        messages = templating.render(version.messages, version.variables, fields.validated_data["inputs"])
        answer = running.answer(version.prompt.project, deployment, messages, version.settings)
        return Response({"messages": messages, **answer})

    @extend_schema(request=serializers.PublishSerializer, responses={201: serializers.PromptServiceSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Offer the version at the gateway as model `prompt/<name>`."""
        fields = serializers.PublishSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        service = services.publish_version(self.actor, self.get_object(), fields.validated_data["name"])
        return Response(serializers.PromptServiceSerializer(service).data, status=status.HTTP_201_CREATED)


class PromptServicesViewSet(mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Published versions. `PATCH` enables, disables, or switches to another version."""

    queryset = PromptService.objects.select_related("project", "version__prompt", "version__deployment")
    serializer_class = serializers.PromptServiceSerializer
    write_right = "publish"
    filterset_fields = ("name", "enabled")
    ordering_fields = ("name", "created_at", "updated_at")

    def partial_update(self, request: Request, pk: str) -> Response:
        service = self.get_object()
        fields = self.get_serializer(service, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        if "version_id" in wanted:
            versions = selectors.list_versions(self.actor).filter(prompt__project=service.project)
            version = versions.filter(pk=wanted["version_id"]).first()
            if version is None:
                raise InvalidInput(
                    _("This project has no such prompt version."), errors=[{"field": "version", "message": "unknown"}]
                )
            service = services.publish_version(self.actor, version, service.name)
        if "enabled" in wanted:
            service = services.set_service_enabled(self.actor, service, wanted["enabled"])
        return Response(self.get_serializer(service).data)

    def perform_destroy(self, service: PromptService) -> None:
        services.delete_service(self.actor, service)


def _deployment(prompt: Prompt, name: str | None) -> Deployment | None:
    """A deployment of the prompt's project by name. Raises InvalidInput naming the field."""
    return selectors.find_deployment(prompt.project, name) if name else None


def register(router: SimpleRouter) -> None:
    """Called by aifs/urls.py, like every app's."""
    router.register("prompts", PromptsViewSet, "prompt")
    router.register("prompt-versions", PromptVersionsViewSet, "prompt-version")
    router.register("prompt-services", PromptServicesViewSet, "prompt-service")
