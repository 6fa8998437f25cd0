"""What every `api.py` builds on: project-bound view sets, paging, strict filters, idempotent creation, problems."""

from apps.core.parsing import SafeJSONParser
from apps.core.rest.filters import StrictFilters
from apps.core.rest.idempotency import IdempotentCreate
from apps.core.rest.paging import CursorPagination
from apps.core.rest.problems import problem_handler
from apps.core.rest.viewsets import ProjectViewSet, ReadOnlyProjectViewSet

__all__ = [
    "CursorPagination",
    "IdempotentCreate",
    "ProjectViewSet",
    "ReadOnlyProjectViewSet",
    "SafeJSONParser",
    "StrictFilters",
    "problem_handler",
]
