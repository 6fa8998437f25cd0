"""`/api/v1/comments/`: what people say about the things of a project."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import services
from apps.core.models import Comment, Project
from apps.core.rest import IdempotentCreate, ReadOnlyProjectViewSet
from apps.core.serializers import PersonSerializer
from apps.core.services.comments import LONGEST, WRITE


class CommentSerializer(serializers.ModelSerializer):
    """type and object_id: the thing, as `/lineage/{type}/{id}/` names it. mentions: ids of members that are named."""

    project: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    author = PersonSerializer(read_only=True, allow_null=True)
    resolved_by = PersonSerializer(read_only=True, allow_null=True)
    mentions = serializers.SerializerMethodField()

    class Meta:
        model = Comment
        fields: ClassVar = [
            "id", "project", "type", "object_id", "author", "text", "mentions", "created_at", "edited_at",
            "resolved_at", "resolved_by",
        ]  # fmt: skip

    def get_mentions(self, comment: Comment) -> list[str]:
        return list(dict.fromkeys(str(person) for _first, _last, person in comment.mentions))


class NewCommentSerializer(serializers.Serializer):
    project = serializers.CharField(required=False)
    type = serializers.CharField(max_length=40)
    object_id = serializers.UUIDField()
    text = serializers.CharField(max_length=LONGEST)


class ChangedCommentSerializer(serializers.Serializer):
    """text: by its author only. resolved: by everybody who may write."""

    text = serializers.CharField(max_length=LONGEST, required=False)
    resolved = serializers.BooleanField(required=False)


class CommentCreation(mixins.CreateModelMixin):
    def create(self, request: Request) -> Response:
        project: Project = self.get_project()  # type: ignore[attr-defined]
        fields = NewCommentSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        thing = wanted["type"], wanted["object_id"]
        comment = services.create_comment(self.actor, project, *thing, wanted["text"])  # type: ignore[attr-defined]
        return Response(self.get_serializer(comment).data, status=status.HTTP_201_CREATED)  # type: ignore[attr-defined]


class CommentsViewSet(IdempotentCreate, CommentCreation, mixins.DestroyModelMixin, ReadOnlyProjectViewSet):
    """What people say about a thing of the project. `@` with a member's name or e-mail address tells that member."""

    queryset = Comment.objects.select_related("project", "author", "resolved_by")
    serializer_class = CommentSerializer
    write_right = WRITE
    filterset_fields: Any = {  # noqa: RUF012
        "type": ["exact"], "object_id": ["exact"], "author": ["exact"], "resolved_at": ["isnull"]
    }  # fmt: skip
    ordering_fields = ("created_at",)

    @extend_schema(request=NewCommentSerializer)
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().create(request, *args, **kwargs)

    @extend_schema(request=ChangedCommentSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        comment = self.get_object()
        fields = ChangedCommentSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        if "text" in wanted:
            comment = services.update_comment(self.actor, comment, wanted["text"])
        if "resolved" in wanted:
            comment = services.resolve_comment(self.actor, comment, wanted["resolved"])
        return Response(self.get_serializer(comment).data)

    def perform_destroy(self, comment: Comment) -> None:
        services.delete_comment(self.actor, comment)
