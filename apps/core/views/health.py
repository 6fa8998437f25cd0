"""For supervisors and load balancers: does the process run, and can it work?"""

import logging

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from apps.core.pages import open_page

log = logging.getLogger(__name__)


@open_page
def health_live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"live": True})


@open_page
def health_ready(request: HttpRequest) -> JsonResponse:
    """The database answers too; 503 while it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("not ready: %s", error)
        return JsonResponse({"ready": False}, status=503, headers={"Retry-After": "2"})
    return JsonResponse({"ready": True})
