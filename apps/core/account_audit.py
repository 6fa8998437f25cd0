"""What happens inside allauth is written into the audit by its signals; `AppConfig.ready` connects them."""

from typing import Any

from allauth.account.signals import password_changed, password_reset
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from apps.core.access import Actor
from apps.core.models import User
from apps.core.services.audit import record_audit


def connect() -> None:
    for signal, action in (
        (password_changed, "user.change_password"),
        (password_reset, "user.reset_password"),
        (authenticator_added, "user.add_authenticator"),
        (authenticator_removed, "user.remove_authenticator"),
        (authenticator_reset, "user.renew_recovery_codes"),
    ):
        signal.connect(_recorder(action), weak=False, dispatch_uid=action)
    user_login_failed.connect(_failed, dispatch_uid="user.sign_in_failed")


def _recorder(action: str) -> Any:
    def record(request: HttpRequest, user: User, **more: Any) -> None:
        authenticator = more.get("authenticator")
        details = {"type": authenticator.type} if authenticator else {}
        record_audit(Actor(user, ip=_address(request)), action, user, **details)

    return record


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **more: Any) -> None:
    """The address is recorded whether or not it belongs to an account, so that both take the same time."""
    email = str(credentials.get("email") or credentials.get("username") or "")[:200]
    record_audit(Actor(None, ip=_address(request)), "user.sign_in_failed", email=email)


def _address(request: HttpRequest | None) -> str | None:
    return (request.META.get("REMOTE_ADDR") or None) if request is not None else None
