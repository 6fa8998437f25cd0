"""What operators do to accounts and keys, from the admin. Each deed is one transaction with its line in the audit."""

from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core import key_changes
from apps.core.access import Actor
from apps.core.errors import Conflict, NotAllowed
from apps.core.models import ApiKey, User
from apps.core.services.audit import record_audit
from apps.core.services.sessions import end_all_sessions


@transaction.atomic
def close_account(operator: Actor, user: User) -> None:
    """No signing in, no session, no key from now on. Raises Conflict for one's own account, and when it is closed."""
    _require_operator(operator)
    if user.pk == operator.user.pk:
        raise Conflict(_("You cannot close your own account."))
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        raise Conflict(_("This account is closed already."))
    record_audit(operator, "user.close", user, sessions=end_all_sessions(user))
    key_changes.announce()


@transaction.atomic
def open_account(operator: Actor, user: User) -> None:
    """Let a person in again; keys that were not revoked work again too. Raises Conflict when it is open."""
    _require_operator(operator)
    if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        raise Conflict(_("This account is open already."))
    record_audit(operator, "user.open", user)
    key_changes.announce()


@transaction.atomic
def reset_second_factor(operator: Actor, user: User) -> None:
    """For who has lost the phone and the recovery codes: the password alone is enough again, and every session ends.
    Raises Conflict when there is no second factor."""
    _require_operator(operator)
    if not Authenticator.objects.filter(user=user).delete()[0]:
        raise Conflict(_("This account has no second factor."))
    record_audit(operator, "user.reset_second_factor", user, sessions=end_all_sessions(user))


@transaction.atomic
def revoke_keys(operator: Actor, keys: Iterable[ApiKey]) -> int:
    """Returns how many worked until now."""
    _require_operator(operator)
    live = list(ApiKey.objects.select_for_update().filter(pk__in=[key.pk for key in keys], revoked_at__isnull=True))
    ApiKey.objects.filter(pk__in=[key.pk for key in live]).update(revoked_at=timezone.now())
    for key in live:
        record_audit(operator, "api_key.revoke", key)
    key_changes.announce()
    return len(live)


def _require_operator(actor: Actor) -> None:
    if not actor.is_authenticated or actor.api_key or not actor.user.is_superuser:
        raise NotAllowed(_("Only operators may do this."))
