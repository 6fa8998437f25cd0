"""Shape of core's objects on the wire. Whatever is not listed as writable is ignored when it comes in."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, ClassVar

from rest_framework import serializers

from apps.core import artefact_types, lineage
from apps.core.access import RIGHTS
from apps.core.models import ApiKey, Artefact, AuditEvent, Membership, Project, Role, Upload, User
from apps.core.services.keys import LONGEST_GRACE


class ProjectSerializer(serializers.ModelSerializer):
    class Meta:
        model = Project
        fields: ClassVar = ["id", "slug", "name", "description", "created_at"]
        read_only_fields: ClassVar = ["id", "created_at"]
        extra_kwargs: ClassVar = {"slug": {"required": False, "validators": []}}


class PersonSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields: ClassVar = ["id", "email", "name"]


class MemberSerializer(serializers.ModelSerializer):
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    user = PersonSerializer(read_only=True)

    class Meta:
        model = Membership
        fields: ClassVar = ["id", "project", "user", "role", "created_at"]
        read_only_fields: ClassVar = ["id", "created_at"]


class InvitationSerializer(serializers.Serializer):
    """Creating a member is inviting one."""

    project = serializers.CharField(required=False)
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)


class ApiKeySerializer(serializers.ModelSerializer):
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    rights = serializers.ListField(child=serializers.ChoiceField(choices=RIGHTS), min_length=1)

    class Meta:
        model = ApiKey
        fields: ClassVar = [
            "id", "project", "user", "name", "prefix", "rights",
            "created_at", "expires_at", "revoked_at", "last_used_at", "replaced_by",
        ]  # fmt: skip
        read_only_fields: ClassVar = ["id", "user", "prefix", "created_at", "revoked_at", "last_used_at", "replaced_by"]


class RotationSerializer(serializers.Serializer):
    grace_hours = serializers.FloatField(min_value=0, max_value=LONGEST_GRACE / timedelta(hours=1), default=24)


class AuditEventSerializer(serializers.ModelSerializer):
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    user = serializers.SlugRelatedField(slug_field="email", read_only=True, allow_null=True)
    api_key = serializers.SlugRelatedField(slug_field="prefix", read_only=True, allow_null=True)

    class Meta:
        model = AuditEvent
        fields: ClassVar = [
            "id", "at", "project", "user", "api_key", "action", "object_type", "object_id", "object_name", "data", "ip",
        ]  # fmt: skip


class SharedFields(serializers.ModelSerializer):
    """Of rows that can be shared: what is around the version (the job that made it …) is for members of its project."""

    around: ClassVar[tuple[str, ...]] = ()

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        for name in self.around:
            fields[name].allow_null = True  # the schema says so, too
        return fields

    def to_representation(self, row: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(row)
        return shown if self.is_mine(row) else shown | dict.fromkeys(self.around)

    def is_mine(self, row: Any) -> bool:
        """False for what another project shares."""
        request = self.context.get("request")
        mine = {membership.project_id for membership in request.actor.memberships()} if request else set()
        return getattr(row, "artefact", row).project_id in mine


class ArtefactSerializer(SharedFields):
    around: ClassVar[tuple[str, ...]] = ("job_id", "meta")
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)

    class Meta:
        model = Artefact
        fields: ClassVar = ["id", "project", "type", "name", "sha256", "size_bytes", "meta", "job_id", "created_at"]


class ArtefactDetailSerializer(ArtefactSerializer):
    class Meta(ArtefactSerializer.Meta):
        fields: ClassVar = [*ArtefactSerializer.Meta.fields, "manifest"]

    def to_representation(self, row: Any) -> dict[str, Any]:
        shown = super().to_representation(row)
        return shown if self.is_mine(row) else shown | {"manifest": artefact_types.shared_files(row)}


class UploadSerializer(serializers.ModelSerializer):
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    complete = serializers.SerializerMethodField()

    class Meta:
        model = Upload
        fields: ClassVar = [
            "id",
            "project",
            "filename",
            "size_bytes",
            "offset_bytes",
            "sha256",
            "complete",
            "created_at",
        ]

    def get_complete(self, upload: Upload) -> bool:
        return bool(upload.sha256)


class LineageNodeSerializer(serializers.Serializer):
    """An artefact, or a row that stands on artefacts (a deployment, a prompt service, a job asked for by its id)."""

    type = serializers.CharField()
    id = serializers.UUIDField()
    name = serializers.CharField(help_text="With its version, as commands take it.")
    label = serializers.CharField(help_text="Its type in words.")
    version = serializers.CharField(help_text="Empty for what has none.")
    project = serializers.CharField()
    url = serializers.CharField(help_text="Its page; empty when it has none.")
    graph = serializers.CharField(help_text="The page of the graph around it.")
    icon = serializers.CharField()
    state = serializers.CharField(help_text="Empty for what never changes.")
    state_label = serializers.CharField()
    job = serializers.UUIDField(allow_null=True)
    shared_from = serializers.CharField(help_text="The project whose it is, where it is seen because it is shared.")
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)
    stale = serializers.ListField(
        child=serializers.DictField(), help_text="Parents of which a newer version with other content exists."
    )
    dead_end = serializers.BooleanField(help_text="Nothing was made of it.")
    column = serializers.IntegerField(help_text="Place from left (sources, 0) to right.")


class LineageEdgeSerializer(serializers.Serializer):
    parent = serializers.UUIDField()
    child = serializers.UUIDField()
    role = serializers.CharField()
    job = serializers.UUIDField(allow_null=True)


class LineageJobSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    url = serializers.CharField()


class LineageSerializer(serializers.Serializer):
    """An edge says which job made the child of the parent, and `jobs` holds those jobs."""

    nodes = LineageNodeSerializer(many=True)
    edges = LineageEdgeSerializer(many=True)
    jobs = LineageJobSerializer(many=True)
    truncated = serializers.BooleanField()

    def to_representation(self, found: Any) -> dict[str, Any]:
        made_by = artefact_types.jobs(node.job for node in found.nodes if node.job)
        shown = {
            "nodes": [lineage_node(node) for node in found.nodes],
            "edges": [asdict(link) for link in found.links],
            "jobs": [{"id": id, **described} for id, described in made_by.items()],
            "truncated": found.truncated,
        }
        return super().to_representation(shown)


def lineage_node(node: lineage.Node) -> dict[str, Any]:
    own = {name: getattr(node, name) for name in LINEAGE_FIELDS}
    known = {"label": lineage.label(node.type), "icon": lineage.icon(node.type), "graph": lineage.address(node)}
    return {**own, **known, "name": node.title, "project": node.project.slug}


LINEAGE_FIELDS = (
    "type", "id", "version", "url", "state", "state_label", "job", "shared_from", "sha256", "created_at", "stale",
    "dead_end", "column",
)  # fmt: skip
