"""`/api/v1/`: shares of a project's artefacts, and the teams of one's projects."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_noop as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import selectors, services
from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Project, Share, Team
from apps.core.rest import CursorPagination, ReadOnlyProjectViewSet
from apps.core.rest.filters import StrictFilters, StrictOrdering


class ShareSerializer(serializers.ModelSerializer):
    """Either `with_project` (its short name) or `with_team` (its id) says with whom."""

    project: Any = serializers.SlugRelatedField(source="artefact.project", slug_field="slug", read_only=True)
    artefact = serializers.UUIDField(source="artefact_id", read_only=True)
    type = serializers.CharField(source="artefact.type", read_only=True)
    name = serializers.CharField(source="artefact.name", read_only=True)
    with_project: Any = serializers.SlugRelatedField(
        source="project", slug_field="slug", read_only=True, allow_null=True
    )
    with_team = serializers.UUIDField(source="team_id", read_only=True, allow_null=True)

    class Meta:
        model = Share
        fields: ClassVar = ["id", "project", "artefact", "type", "name", "with_project", "with_team", "created_at"]


class NewShareSerializer(serializers.Serializer):
    """artefact: id of one of the project's own. with_project: short name or id."""

    project = serializers.CharField(required=False)
    type = serializers.CharField(max_length=40)
    artefact = serializers.UUIDField()
    with_project = serializers.CharField(max_length=60, required=False)
    with_team = serializers.UUIDField(required=False)


class SharesViewSet(mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """What a project lets others read, for its owners. `DELETE` takes it back at once. What others share with a project
    stands among its `artefacts`, `dataset-versions` and `model-versions`."""

    queryset = Share.objects.select_related("artefact__project", "project")
    serializer_class = ShareSerializer
    project_field = "artefact__project"
    write_right = "manage"
    rights: ClassVar = {"list": "manage", "retrieve": "manage"}
    filterset_fields = ("artefact",)
    ordering_fields = ("created_at",)

    @extend_schema(request=NewShareSerializer)
    def create(self, request: Request) -> Response:
        project = self.get_project()
        fields = NewShareSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        artefact = selectors.get_own_artefact(self.actor, project, wanted["type"], wanted["artefact"])
        share = services.share_artefact(
            self.actor, artefact, project=wanted.get("with_project"), team=wanted.get("with_team")
        )
        return Response(self.get_serializer(share).data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, share: Share) -> None:
        services.revoke_share(self.actor, share)


class TeamSerializer(serializers.ModelSerializer):
    """projects: short names of those you are a member of."""

    projects = serializers.SerializerMethodField()

    class Meta:
        model = Team
        fields: ClassVar = ["id", "name", "projects", "created_at"]

    def get_projects(self, team: Team) -> list[str]:
        actor: Actor = self.context["request"].actor
        return [row.project.slug for row in actor.memberships() if row.project.team_id == team.pk]


class MoveSerializer(serializers.Serializer):
    """Either a team in which you own a project, or the name of a new one."""

    project = serializers.CharField(help_text="Short name or id.")
    team = serializers.UUIDField(required=False)
    name = serializers.CharField(max_length=120, required=False)


class TeamsViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """The teams of your projects. `POST` moves a project of yours into another or a new one, `PATCH` renames."""

    right = "signed_in"
    queryset = Team.objects.all()
    serializer_class = TeamSerializer
    pagination_class = CursorPagination
    filter_backends = (StrictFilters, StrictOrdering)
    ordering_fields = ("name",)

    @property
    def actor(self) -> Actor:
        return self.request.actor  # type: ignore[attr-defined, no-any-return]

    def get_queryset(self) -> QuerySet[Team]:
        if getattr(self, "swagger_fake_view", False):
            return Team.objects.none()
        wanted = self.request.query_params.get("project") if self.action == "list" else None
        mine = [row.project for row in self.actor.memberships()]
        projects = [selectors.get_project(self.actor, wanted)] if wanted else mine
        return Team.objects.filter(pk__in={project.team_id for project in projects})

    @extend_schema(request=MoveSerializer, responses={201: TeamSerializer})
    def create(self, request: Request) -> Response:
        fields = MoveSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        project = selectors.get_project(self.actor, wanted["project"])
        team = services.move_to_team(self.actor, project, team=wanted.get("team"), name=wanted.get("name", ""))
        return Response(self.get_serializer(team).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        team = self.get_object()
        fields = self.get_serializer(team, data=request.data)
        fields.is_valid(raise_exception=True)
        services.rename_team(self.actor, self._owned_in(team), fields.validated_data["name"])
        return Response(self.get_serializer(self.get_object()).data)

    def _owned_in(self, team: Team) -> Project:
        """One of the actor's projects in the team, an owned one if there is any; the service checks the right."""
        mine = [row.project for row in self.actor.memberships() if row.project.team_id == team.pk]
        if not mine:
            raise NotFound(_("There is no such team, or you own no project in it."))
        return next((project for project in mine if self.actor.may("manage", project)), mine[0])
