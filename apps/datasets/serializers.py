"""Shape of datasets on the wire. Whatever is not listed as writable is ignored when it comes in."""

from typing import ClassVar

from rest_framework import serializers

from apps.core.serializers import SharedFields
from apps.datasets.models import Dataset, DatasetVersion


class DatasetSerializer(serializers.ModelSerializer):
    """newest: id of the newest version; format and rows are its own."""

    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    version_count = serializers.IntegerField(read_only=True, default=0)
    newest = serializers.UUIDField(source="newest_id", read_only=True, allow_null=True, default=None)
    version = serializers.IntegerField(source="newest_number", read_only=True, allow_null=True, default=None)
    format = serializers.CharField(read_only=True, allow_null=True, default=None)
    rows = serializers.IntegerField(read_only=True, allow_null=True, default=None)

    class Meta:
        model = Dataset
        fields: ClassVar = [
            "id", "project", "name", "kind", "description", "version_count", "newest", "version", "format", "rows",
            "created_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = ["id", "created_at"]


class DatasetUpdateSerializer(serializers.ModelSerializer):
    class Meta:
        model = Dataset
        fields: ClassVar = ["kind", "description"]


class DatasetVersionSerializer(SharedFields):
    """rows_in = rows + quarantined + dropped. report: what was found, dropped and why."""

    around = ("job", "dataset", "rows_in", "quarantined", "dropped", "report")
    id = serializers.UUIDField(source="pk", read_only=True)
    project = serializers.SlugRelatedField(source="dataset.project", slug_field="slug", read_only=True)
    dataset = serializers.UUIDField(source="dataset_id", read_only=True)
    dataset_name = serializers.CharField(source="dataset.name", read_only=True)
    kind = serializers.CharField(source="dataset.kind", read_only=True)
    sha256 = serializers.CharField(source="artefact.sha256", read_only=True)
    size_bytes = serializers.IntegerField(source="artefact.size_bytes", read_only=True)
    job = serializers.UUIDField(source="artefact.job_id", read_only=True, allow_null=True)

    class Meta:
        model = DatasetVersion
        fields: ClassVar = [
            "id", "project", "dataset", "dataset_name", "kind", "number", "format", "source_format", "rows_in", "rows",
            "quarantined", "dropped", "columns", "report", "sha256", "size_bytes", "job", "created_at",
        ]  # fmt: skip


class RowsSerializer(serializers.Serializer):
    """A page of rows. next: offset of the following page, null at the end."""

    rows = serializers.ListField(child=serializers.DictField())
    offset = serializers.IntegerField()
    count = serializers.IntegerField()
    next = serializers.IntegerField(allow_null=True)


class UploadPreviewSerializer(serializers.Serializer):
    """upload: id of a finished upload."""

    upload = serializers.UUIDField()
    format = serializers.CharField(default="auto", max_length=40)
    encoding = serializers.CharField(default="auto", max_length=40)
    kind = serializers.CharField(default="auto", max_length=40)


class RecipeSerializer(serializers.Serializer):
    """steps: as the parameter of `datasets.clean`."""

    steps = serializers.ListField(child=serializers.DictField(), max_length=50)
