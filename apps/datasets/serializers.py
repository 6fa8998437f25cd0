"""Shape of datasets on the wire. Whatever is not listed as writable is ignored when it comes in."""

from typing import ClassVar

from django.urls import reverse
from django.utils.translation import gettext
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

    around = ("job", "dataset", "rows_in", "quarantined", "dropped", "report", "url")
    id = serializers.UUIDField(source="pk", read_only=True)
    project = serializers.SlugRelatedField(source="dataset.project", slug_field="slug", read_only=True)
    dataset = serializers.UUIDField(source="dataset_id", read_only=True)
    dataset_name = serializers.CharField(source="dataset.name", read_only=True)
    kind = serializers.CharField(source="dataset.kind", read_only=True)
    sha256 = serializers.CharField(source="artefact.sha256", read_only=True)
    size_bytes = serializers.IntegerField(source="artefact.size_bytes", read_only=True)
    job = serializers.UUIDField(source="artefact.job_id", read_only=True, allow_null=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = DatasetVersion
        fields: ClassVar = [
            "id", "project", "dataset", "dataset_name", "kind", "number", "format", "source_format", "rows_in", "rows",
            "quarantined", "dropped", "columns", "report", "sha256", "size_bytes", "job", "created_at",
            "url",
        ]  # fmt: skip

    def get_url(self, version: DatasetVersion) -> str:
        return reverse("datasets:version_detail", args=[version.dataset.project.slug, version.pk])


class CaseSerializer(serializers.Serializer):
    """A conversation that ends with the answer that is expected, and the name of the dataset that keeps it."""

    project = serializers.CharField(required=False, help_text="Short name or id; a key's own project is the default.")
    name = serializers.CharField(max_length=120, default=lambda: gettext("Test cases"))
    messages = serializers.ListField(child=serializers.DictField(), max_length=1000)


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
