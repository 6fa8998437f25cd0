"""`/api/v1/uploads/`: tus 1.0 (core, creation, termination), and a plain multipart form for small files.

Source: https://tus.io/protocols/resumable-upload, version 1.0.0.
"""

import base64
from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework import status
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import selectors, services
from apps.core.errors import InvalidInput
from apps.core.models import Upload
from apps.core.rest import ReadOnlyProjectViewSet, SafeJSONParser
from apps.core.serializers import UploadSerializer

VERSION = "1.0.0"
CHUNK = "application/offset+octet-stream"


class ChunkParser(BaseParser):
    """Leaves the body as a stream."""

    media_type = CHUNK

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream


class UploadViewSet(ReadOnlyProjectViewSet):
    """Files on their way in. The id of a finished upload is what every import kind accepts.

    `POST` with `Upload-Length` and `Upload-Metadata` (filename, project; base64) announces a file, `PATCH` with
    `Upload-Offset` sends bytes, `HEAD` says how far it is, `DELETE` stops it. `POST` of a form with `file` and
    `project` sends a small file in one go.
    """

    queryset = Upload.objects.select_related("project")
    serializer_class = UploadSerializer
    parser_classes = (ChunkParser, MultiPartParser, SafeJSONParser)
    rights: ClassVar = {"create": "run_simple", "partial_update": "run_simple", "destroy": "run_simple"}
    filterset_fields = ("filename",)
    ordering_fields = ("created_at",)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Tus-Resumable"] = VERSION
        return response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": "creation,termination",
            "Tus-Max-Size": str(settings.AIFS_UPLOAD_MAX_BYTES),
        }
        return Response(status=status.HTTP_204_NO_CONTENT, headers=headers)

    @extend_schema(request=OpenApiTypes.NONE)
    def create(self, request: Request) -> Response:
        if "Upload-Length" not in request.headers and request.content_type.startswith("multipart/form-data"):
            return self._create_from_form(request)
        described = metadata(request.headers.get("Upload-Metadata", ""))
        project = self._project(described.get("project", ""))
        size = number(request, "Upload-Length")
        upload = services.create_upload(self.actor, project, described.get("filename", "file"), size)
        return self._created(request, upload)

    def retrieve(self, request: Request, pk: str) -> Response:
        """`HEAD` is answered by this too: tus reads how far the upload is from the headers."""
        upload = self.get_object()
        return Response(self.get_serializer(upload).data, headers=_state(upload))

    @extend_schema(request=OpenApiTypes.BINARY, responses={204: None})
    def partial_update(self, request: Request, pk: str) -> Response:
        if request.content_type != CHUNK:
            raise InvalidInput(_("Send the bytes as %(type)s."), code="wrong_content_type", type=CHUNK)
        upload = services.append_to_upload(
            self.actor, self.get_object(), number(request, "Upload-Offset"), request.data
        )
        return Response(status=status.HTTP_204_NO_CONTENT, headers=_state(upload))

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_upload(self.actor, self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    # --- inside

    def _create_from_form(self, request: Request) -> Response:
        file = request.FILES.get("file")
        if file is None:
            raise InvalidInput(
                _("The form holds no “file”."), errors=[{"field": "file", "message": gettext("This is needed.")}]
            )
        project = self._project(request.data.get("project", ""))
        return self._created(request, services.create_upload_from_file(self.actor, project, file))

    def _project(self, named: str) -> Any:
        if named:
            return selectors.get_project(self.actor, named)
        if self.actor.api_key:
            return self.actor.api_key.project
        raise InvalidInput(_("Say in which project."), hint=_("Name it as “project” in Upload-Metadata."))

    def _created(self, request: Request, upload: Upload) -> Response:
        location = request.build_absolute_uri(reverse("upload-detail", args=[upload.pk]))
        return Response(
            self.get_serializer(upload).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": location, **_state(upload)},
        )


def _state(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset_bytes),
        "Upload-Length": str(upload.size_bytes),
        "Cache-Control": "no-store",
    }


def metadata(header: str) -> dict[str, str]:
    """`name base64, name base64 …` as texts. Raises InvalidInput for what is not that."""
    found = {}
    for pair in header.split(",") if header.strip() else []:
        name, _space, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except ValueError:
            raise InvalidInput(_("Upload-Metadata is not “name base64, …” of UTF-8 texts."), name=name[:100]) from None
    return found


def number(request: Request, header: str) -> int:
    """A whole number of bytes in a header. Raises InvalidInput."""
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput(_("The header %(header)s must be a whole number of bytes."), header=header)
    return int(text)
