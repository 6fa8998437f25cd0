"""Only the filters a view names exist: anything else is refused, so that no query reaches a column nobody meant."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext_noop as _
from django_filters.rest_framework import DjangoFilterBackend, FilterSet, UUIDFilter
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.errors import InvalidInput

PAGING = {"cursor", "limit", "ordering", "project", "format"}


class PlainFilterSet(FilterSet):
    """A filter by a related object takes its id and looks nothing up: else the answer would tell whether an object of
    somebody else exists."""

    FILTER_DEFAULTS: ClassVar = {**FilterSet.FILTER_DEFAULTS, models.ForeignKey: {"filter_class": UUIDFilter}}


class StrictFilters(DjangoFilterBackend):
    """As django-filter, but an unknown parameter is a 400 that lists the known ones."""

    filterset_base = PlainFilterSet

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        filterset = self.get_filterset(request, queryset, view)
        known = PAGING | set(filterset.filters if filterset else ()) | set(getattr(view, "query_params", ()))
        refuse_unknown(request, known)
        return super().filter_queryset(request, queryset, view)


class StrictOrdering(OrderingFilter):
    """As DRF's, but an unknown field is a 400. A view names its fields in `ordering_fields`."""

    def remove_invalid_fields(
        self, queryset: QuerySet, fields: list[str], view: APIView, request: Request
    ) -> list[str]:
        known = set(getattr(view, "ordering_fields", ()))
        unknown = [field for field in fields if field.lstrip("-") not in known]
        if unknown:
            raise InvalidInput(
                _("This list cannot be ordered by “%(field)s”; it can by: %(known)s."),
                field=unknown[0][:100],
                known=", ".join(sorted(known)) or "—",
            )
        return fields

    def get_default_valid_fields(self, queryset: QuerySet, view: APIView, context: Any = None) -> list[Any]:
        return [(field, field) for field in getattr(view, "ordering_fields", ())]


def refuse_unknown(request: Request, known: set[str]) -> None:
    """Raises InvalidInput for a query parameter that means nothing here."""
    for name in request.query_params:
        if name not in known:
            raise InvalidInput(
                _("Unknown parameter “%(name)s”; known are: %(known)s."),
                code="unknown_parameter",
                name=name[:100],
                known=", ".join(sorted(known)),
            )
