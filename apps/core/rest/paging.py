"""Keyset paging: a page costs the same at the end of a long list as at its start, and new rows do not shift it."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_noop as _
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import InvalidInput


class CursorPagination(pagination.CursorPagination):
    """{"results", "next", "previous"}; newest first, since ids sort by time. `limit` up to 200."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = "-pk"

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: Any = None) -> list[Any] | None:
        """Raises InvalidInput for a cursor that was made up: what it compares with must fit the column."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, TypeError, OverflowError):
            raise InvalidInput(_("This cursor belongs to no page.")) from None

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }
