"""`Idempotency-Key`: a creating call sent twice makes one object and gets the same answer twice."""

import hashlib
import json
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import Conflict, InvalidInput
from apps.core.models import IdempotencyKey, Project

KEPT = timedelta(days=1)
HEADER = "Idempotency-Key"


class IdempotentCreate:
    """Mixin before `ProjectViewSet`: `create` runs in one transaction with the row that remembers its answer, so a
    crash leaves neither, and a second call that arrives meanwhile waits for the first."""

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return super().create(request, *args, **kwargs)  # type: ignore[misc, no-any-return]
        if not 0 < len(key) <= 200:
            raise InvalidInput(_("An Idempotency-Key has 1 to 200 characters."))
        project: Project = self.get_project()  # type: ignore[attr-defined]
        mark = _mark(request)
        try:
            with transaction.atomic():
                IdempotencyKey.objects.filter(project=project, key=key, created_at__lt=timezone.now() - KEPT).delete()
                row = IdempotencyKey.objects.create(project=project, key=key, path=request.path[:200], body_sha256=mark)
                response: Response = super().create(request, *args, **kwargs)  # type: ignore[misc]
                row.status, row.answer = response.status_code, json.loads(JSONRenderer().render(response.data))
                row.save(update_fields=["status", "answer"])
            return response
        except IntegrityError:
            return _replay(project, key, mark, request)


def _mark(request: Request) -> str:
    """Hash of who asks for what, so that a key that is used again for something else is noticed."""
    body = json.dumps(request.data, sort_keys=True, default=str)
    return hashlib.sha256(f"{request.user.pk}\n{request.path}\n{body}".encode()).hexdigest()


def _replay(project: Project, key: str, mark: str, request: Request) -> Response:
    row = IdempotencyKey.objects.filter(project=project, key=key).first()
    if row is None:
        raise  # the IntegrityError was about another row
    if row.body_sha256 != mark:
        raise Conflict(
            _("This Idempotency-Key was used for another request."),
            hint=_("Use a new key for every new request."),
            code="idempotency_key_reused",
        )
    return Response(row.answer, status=row.status, headers={"Idempotency-Replayed": "true"})
