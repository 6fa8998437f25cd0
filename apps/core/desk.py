"""What the apps' admin pages share."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.core.errors import AifsError, translate

Chosen = TypeVar("Chosen")


class ReadOnly(ModelAdmin):
    """Rows that operators look at and search; services alone write them."""

    show_full_result_count = False
    """Beside what a filter found: another count of the whole table, and some of these grow for ever."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def each(request: HttpRequest, chosen: Iterable[Chosen], deed: Callable[[Chosen], object]) -> int:
    """Do it to each of the chosen rows. One that refuses is named with its reason and stops no other. Returns how many
    it was done to."""
    done = 0
    for row in chosen:
        try:
            deed(row)
            done += 1
        except AifsError as error:
            messages.warning(request, f"{row}: {translate(error.message, error.data)}")
    return done
