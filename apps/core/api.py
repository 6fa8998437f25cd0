"""`/api/v1/`: projects, members, api-keys, audit-events, artefacts, lineage and uploads."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from apps.core import selectors, serializers, services
from apps.core.comments_api import CommentsViewSet
from apps.core.lineage import lineage
from apps.core.models import ApiKey, Artefact, AuditEvent, Membership, Project
from apps.core.notices_api import NotificationsViewSet, WebhooksViewSet
from apps.core.rest import ProjectViewSet, ReadOnlyProjectViewSet
from apps.core.rest.filters import refuse_unknown
from apps.core.sharing_api import SharesViewSet, TeamsViewSet
from apps.core.uploads_api import UploadViewSet


class ProjectsViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ProjectViewSet):
    """Projects you are a member of. A key sees its own."""

    queryset = Project.objects.all()
    serializer_class = serializers.ProjectSerializer
    project_field = ""
    lookup_value_regex = "[^/]+"
    write_right = "manage"
    filterset_fields = ("name",)
    ordering_fields = ("name", "created_at")

    def get_object(self) -> Project:
        """By slug or id."""
        project = selectors.get_project(self.actor, self.kwargs["pk"])
        self.check_object_permissions(self.request, project)
        return project

    def create(self, request: Request) -> Response:
        fields = self.get_serializer(data=request.data)
        fields.is_valid(raise_exception=True)
        project = services.create_project(self.actor, **fields.validated_data)
        return Response(self.get_serializer(project).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        project = self.get_object()
        fields = self.get_serializer(project, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        return Response(self.get_serializer(services.update_project(self.actor, project, **fields.validated_data)).data)


class MembersViewSet(mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Who is in a project, with which role. `POST` invites; the answer holds the link, which is shown only there."""

    queryset = Membership.objects.select_related("project", "user")
    serializer_class = serializers.MemberSerializer
    rights: ClassVar = {"create": "manage", "partial_update": "manage", "destroy": "view"}
    filterset_fields = ("role",)
    ordering_fields = ("created_at", "role")

    @extend_schema(request=serializers.InvitationSerializer, responses={201: OpenApiTypes.OBJECT})
    def create(self, request: Request) -> Response:
        project = self.get_project()
        fields = serializers.InvitationSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        invitation, token = services.invite_member(
            self.actor, project, fields.validated_data["email"], fields.validated_data["role"]
        )
        link = request.build_absolute_uri(reverse("core:invitation_open", args=[token]))
        answer = {"id": invitation.pk, "email": invitation.email, "role": invitation.role, "link": link}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    def partial_update(self, request: Request, pk: str) -> Response:
        member = self.get_object()
        fields = self.get_serializer(member, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        services.change_role(self.actor, member, fields.validated_data.get("role", member.role))
        return Response(self.get_serializer(member).data)

    def perform_destroy(self, member: Membership) -> None:
        services.remove_member(self.actor, member)


class ApiKeysViewSet(mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Your keys, and for owners those of the project. The answer to `POST` holds `key`, which is shown only there;
    `DELETE` revokes.

    Without `Idempotency-Key`: its stored answer would hold the key in plain.
    """

    queryset = ApiKey.objects.select_related("project")
    serializer_class = serializers.ApiKeySerializer
    write_right = "view"
    filterset_fields = ("name", "prefix")
    ordering_fields = ("created_at", "name")

    def get_queryset(self) -> QuerySet:
        """Others' keys only where one may manage them."""
        keys = super().get_queryset()
        managed = [project for project in self.actor.projects() if self.actor.may("manage", project)]
        return keys.filter(user=self.request.user) | keys.filter(project__in=managed)

    def create(self, request: Request) -> Response:
        project = self.get_project()
        fields = self.get_serializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        key, plain = services.create_api_key(
            self.actor, project, wanted["name"], wanted["rights"], wanted.get("expires_at")
        )
        answer = self.get_serializer(key).data | {"key": plain}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(request=serializers.RotationSerializer, responses={201: OpenApiTypes.OBJECT})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """A new secret in place of your key, shown only in this answer; the old one works for `grace_hours` more."""
        fields = serializers.RotationSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        grace = timedelta(hours=fields.validated_data["grace_hours"])
        key, plain = services.rotate_api_key(self.actor, self.get_object(), grace)
        answer = self.get_serializer(key).data | {"key": plain}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    def perform_destroy(self, key: ApiKey) -> None:
        services.revoke_api_key(self.actor, key)


class AuditEventsViewSet(ReadOnlyProjectViewSet):
    """Who did what in the projects you own."""

    queryset = AuditEvent.objects.select_related("project", "user", "api_key")
    serializer_class = serializers.AuditEventSerializer
    rights: ClassVar = {"list": "manage", "retrieve": "manage"}
    filterset_fields = ("action", "object_type", "object_id")
    ordering_fields = ("at",)


class ArtefactsViewSet(ReadOnlyProjectViewSet):
    """Everything made or brought in, of every type, and what others share with the project."""

    queryset = Artefact.objects.select_related("project")
    artefact_field = ""
    filterset_fields = ("type", "name", "sha256", "job_id")
    ordering_fields = ("created_at", "name", "size_bytes")

    def get_serializer_class(self) -> type[serializers.ArtefactSerializer]:
        return serializers.ArtefactSerializer if self.action == "list" else serializers.ArtefactDetailSerializer


class LineageView(APIView):
    """Everything an artefact came from (`up`), everything made of it (`down`), or both."""

    right = "signed_in"

    @extend_schema(
        operation_id="lineage_retrieve",
        parameters=[
            OpenApiParameter("direction", str, enum=["up", "down", "both"], default="both"),
            OpenApiParameter("depth", int, description="So many generations each way; all unless given."),
        ],
        responses=serializers.LineageSerializer,
    )
    def get(self, request: Request, type: str, id: UUID) -> Response:
        refuse_unknown(request, {"direction", "depth"})
        asked = request.query_params
        depth = int(asked["depth"]) if asked.get("depth", "").isdecimal() else 0 if asked.get("depth") else None
        found = lineage(request.actor, type, id, asked.get("direction", "both"), depth)  # type: ignore[attr-defined]
        return Response(serializers.LineageSerializer(found).data)


def register(router: SimpleRouter) -> None:
    """Called by aifs/urls.py, like every app's."""
    router.register("projects", ProjectsViewSet, "project")
    router.register("members", MembersViewSet, "member")
    router.register("api-keys", ApiKeysViewSet, "api-key")
    router.register("audit-events", AuditEventsViewSet, "audit-event")
    router.register("artefacts", ArtefactsViewSet, "artefact")
    router.register("uploads", UploadViewSet, "upload")
    router.register("notifications", NotificationsViewSet, "notification")
    router.register("comments", CommentsViewSet, "comment")
    router.register("shares", SharesViewSet, "share")
    router.register("teams", TeamsViewSet, "team")
    router.register("webhooks", WebhooksViewSet, "webhook")
