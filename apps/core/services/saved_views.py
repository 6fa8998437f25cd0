"""Lists as people like to see them."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput, LimitReached
from apps.core.models import SavedView

MOST_VIEWS = 50
"""Of one list; more would be no choice any more."""


def save_view(actor: Actor, url_name: str, name: str, query: str, is_default: bool = False) -> SavedView:
    """Keep the query of a list under a name; the same name again replaces it. query: as `lists.state.normal` writes it.

    Raises InvalidInput without a name, LimitReached after MOST_VIEWS.
    """
    name = " ".join(name.replace("\0", "").split())[:60]
    if not name:
        raise InvalidInput(_("Give the view a name."), errors=[{"field": "name", "message": "missing"}])
    own = SavedView.objects.filter(user=actor.user, list=url_name)
    if not own.filter(name=name).exists() and own.count() >= MOST_VIEWS:
        raise LimitReached(_("There are already %(limit)d views of this list."), limit=MOST_VIEWS)
    try:
        with transaction.atomic():
            if is_default:
                own.update(is_default=False)
            values = {"query": query, "is_default": is_default}
            view, _made = SavedView.objects.update_or_create(user=actor.user, list=url_name, name=name, defaults=values)
    except IntegrityError:
        raise Conflict(_("The views of this list were changed at the same time. Try again.")) from None
    return view


def set_default_view(actor: Actor, view: SavedView, is_default: bool) -> None:
    """Show a view whenever its list is opened without a query, in place of the one before; or no longer."""
    with transaction.atomic():
        own = SavedView.objects.select_for_update().filter(user=actor.user, list=view.list)
        for other in own:
            if other.is_default and other.pk != view.pk:
                own.filter(pk=other.pk).update(is_default=False)
        own.filter(pk=view.pk).update(is_default=is_default)


def delete_view(actor: Actor, view: SavedView) -> None:
    SavedView.objects.filter(user=actor.user, pk=view.pk).delete()
