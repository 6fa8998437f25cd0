"""`/api/v1/`: notifications of the caller, and webhooks of a project."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import notices, selectors, services
from apps.core.access import Actor
from apps.core.models import Notification, Webhook, WebhookDelivery
from apps.core.rest import CursorPagination, ReadOnlyProjectViewSet
from apps.core.rest.filters import StrictFilters, StrictOrdering

READ = inline_serializer("NotificationsRead", {"read": serializers.IntegerField()})


class NotificationSerializer(serializers.ModelSerializer):
    project: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    text = serializers.SerializerMethodField(help_text="In the caller's language.")

    class Meta:
        model = Notification
        fields: ClassVar = ["id", "project", "event", "text", "data", "url", "created_at", "read_at"]

    def get_text(self, row: Notification) -> str:
        return notices.text_of(row.event, row.data)


class NotificationsViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """What you were told, newest first. A key sees what is about its project."""

    right = "signed_in"
    queryset = Notification.objects.all()
    serializer_class = NotificationSerializer
    pagination_class = CursorPagination
    filter_backends = (StrictFilters, StrictOrdering)
    filterset_fields: ClassVar = {"event": ["exact"], "read_at": ["isnull"]}
    ordering_fields = ("created_at",)

    @property
    def actor(self) -> Actor:
        return self.request.actor  # type: ignore[attr-defined, no-any-return]

    def get_queryset(self) -> QuerySet[Notification]:
        if getattr(self, "swagger_fake_view", False):
            return Notification.objects.none()
        rows = selectors.list_notifications(self.actor)
        wanted = self.request.query_params.get("project") if self.action == "list" else None
        return rows.filter(project=selectors.get_project(self.actor, wanted)) if wanted else rows

    @extend_schema(request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        """It is read."""
        row = self.get_object()
        services.mark_read(self.actor, [row.pk])
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)

    @extend_schema(request=None, responses=READ)
    @action(detail=False, methods=["post"], url_path="read-all")
    def read_all(self, request: Request) -> Response:
        """All are read; says how many were not."""
        return Response({"read": services.mark_read(self.actor)})


class WebhookSerializer(serializers.ModelSerializer):
    project: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    events = serializers.ListField(child=serializers.CharField(max_length=60), min_length=1)

    class Meta:
        model = Webhook
        fields: ClassVar = ["id", "project", "url", "events", "enabled", "created_at"]
        read_only_fields: ClassVar = ["id", "created_at"]


class DeliverySerializer(serializers.ModelSerializer):
    class Meta:
        model = WebhookDelivery
        fields: ClassVar = [
            "id", "event", "body", "attempts", "status", "answer", "next_at", "delivered_at", "created_at"
        ]  # fmt: skip


class WebhooksViewSet(mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """Who is told of a project's events, for its owners. The answer to `POST` holds `secret`, which is shown only
    there."""

    queryset = Webhook.objects.select_related("project")
    serializer_class = WebhookSerializer
    write_right = "manage"
    rights: ClassVar = {"list": "manage", "retrieve": "manage", "deliveries": "manage"}
    filterset_fields = ("enabled",)
    ordering_fields = ("created_at",)

    def create(self, request: Request) -> Response:
        project = self.get_project()
        fields = self.get_serializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        hook, secret = services.create_webhook(self.actor, project, wanted["url"], wanted["events"])
        answer = self.get_serializer(hook).data | {"secret": secret}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    def partial_update(self, request: Request, pk: str) -> Response:
        hook = self.get_object()
        fields = self.get_serializer(hook, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        wanted: dict[str, Any] = {"url": hook.url, "events": hook.events, "enabled": hook.enabled}
        services.update_webhook(self.actor, hook, **wanted | fields.validated_data)
        return Response(self.get_serializer(hook).data)

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None)
    def deliveries(self, request: Request, pk: str) -> Response:
        """The newest messages with the last answer to each."""
        return Response(DeliverySerializer(selectors.list_deliveries(self.get_object()), many=True).data)

    def perform_destroy(self, hook: Webhook) -> None:
        services.delete_webhook(self.actor, hook)
