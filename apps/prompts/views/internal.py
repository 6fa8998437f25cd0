"""What the gateway asks the web process: the messages a published prompt becomes."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop as _
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import internal
from apps.core.errors import InvalidInput, NotFound
from apps.prompts import selectors, services


@extend_schema(exclude=True)
class PromptRenderView(APIView):
    """`POST /internal/prompts/<name>/render` with {"inputs", "messages"}, signed by a process of this installation.

    The signature says for which project; without one there is no such address. Answers {"deployment", "messages",
    "settings", "version"}; 400 names a missing variable.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    right = "internal"

    def post(self, request: Request, name: str) -> Response:
        project = internal.verify(settings.SECRET_KEY, request.headers.get(internal.HEADER, ""))
        if project is None:
            raise NotFound(_("There is no such object, or you may not see it."))
        service = selectors.get_published(name, project)
        inputs, messages = request.data.get("inputs") or {}, request.data.get("messages") or []
        if not _shaped(inputs, messages):
            raise InvalidInput(_("“inputs” must be an object and “messages” a list of objects."))
        return Response(services.rendered_for_gateway(service, inputs, messages))


def _shaped(inputs: Any, messages: Any) -> bool:
    return (
        isinstance(inputs, dict)
        and isinstance(messages, list)
        and all(isinstance(message, dict) for message in messages)
    )
