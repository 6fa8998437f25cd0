"""What allauth asks of AIFS. Signing up is by invitation only: the link of an invitation opens the form, for that
address alone. Guessing passwords and codes is slowed down, and nobody is told who has an account."""

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop as marked

from apps.core.access import Actor
from apps.core.errors import LimitReached, NotFound
from apps.core.models import Invitation, User
from apps.core.sealing import Seal
from apps.core.services import accept_invitation, record_audit
from apps.core.services.members import find_invitation

log = logging.getLogger(__name__)

INVITATION = "invitation"
"""Where the session keeps the token of an opened link."""
OTHER_WORDS = (
    marked("Authenticator code"),
    marked("Code"),
    marked("Incorrect code."),
    marked("Use authenticator app or code"),
    marked("Use your password"),
)
"""Texts of allauth with a translation of ours: its Chinese takes the code of an app for source code."""


def pending_invitation(request: HttpRequest) -> Invitation | None:
    """The invitation whose link was opened in this session, while it is valid."""
    token = request.session.get(INVITATION)
    if not token:
        return None
    try:
        return find_invitation(token)
    except NotFound:
        return None


class InvitationOnlyAdapter(DefaultAccountAdapter):
    """allauth asks this adapter what it may do."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return pending_invitation(request) is not None

    def clean_email(self, email: str) -> str:
        email = super().clean_email(email).lower()
        invitation = pending_invitation(self.request)
        match = self.request.resolver_match
        signing_up = match is not None and match.url_name == "account_signup"
        if signing_up and (invitation is None or invitation.email != email):
            raise ValidationError(_("The invitation was sent to another e-mail address."))
        return email

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """A new person joins the project of the invitation in the same transaction, and keeps the language of the
        page that was filled in."""
        user.language = request.LANGUAGE_CODE  # type: ignore[attr-defined]
        user = super().save_user(request, user, form, commit)
        if commit:
            accept_invitation(user, request.session.pop(INVITATION))
        return user

    def get_client_ip(self, request: HttpRequest) -> str:
        """A server behind a Unix socket knows no address."""
        return request.META.get("REMOTE_ADDR") or "0.0.0.0"  # noqa: S104

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        """A mail server that is away must not tell accounts from addresses without one by an error page."""
        try:
            super().send_mail(*args, **kwargs)
        except (OSError, SMTPException) as error:
            log.error("A message could not be sent: %s", error)

    # --- guessing

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Failures are counted for an account from one address, so that nobody locks out somebody else."""
        return f"{self.get_client_ip(request)}:{credentials.get('email', '').lower()}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Raises LimitReached after too many wrong passwords: from here, or for this account from anywhere."""
        super().pre_authenticate(request, **credentials)
        email = credentials.get("email", "").lower()
        self._account_usage = ratelimit.consume(
            request, app="allauth.account", action="login_failed_account", key=email
        )
        if not self._account_usage:
            raise self.validation_error("too_many_login_attempts")

    def _rollback_login_failed_rl_usage(self) -> None:
        """The password was right: this attempt does not count."""
        super()._rollback_login_failed_rl_usage()
        if usage := getattr(self, "_account_usage", None):
            usage.rollback()

    def validation_error(self, code: str, *args: Any) -> Exception:
        """allauth would show these two beside a field, with status 200."""
        if code in {"too_many_login_attempts", "rate_limited"}:
            return LimitReached(
                marked("Too many failed attempts. Try again in five minutes."), code="throttled", retry_after_s=300
            )
        return super().validation_error(code, *args)  # type: ignore[no-any-return]

    # --- signing in

    def login(self, request: HttpRequest, user: User) -> None:
        """Signing in brings one's language along, and accepts an invitation whose link was opened before. Whoever has
        chosen none keeps that of the page where they first signed in."""
        token = request.session.get(INVITATION)
        if user.last_login is None and user.language == User.language.field.default:
            user.language = request.LANGUAGE_CODE  # type: ignore[attr-defined]
            user.save(update_fields=["language"])
        super().login(request, user)
        request.session["language"] = user.language
        record_audit(Actor(user, ip=request.META.get("REMOTE_ADDR") or None), "user.sign_in", user)
        if token:
            request.session.pop(INVITATION, None)
            _join(user, token)


class SealedCodes(DefaultMFAAdapter):
    """Seeds of sign-in codes are encrypted at rest: a copy of the database does not give them away."""

    def encrypt(self, text: str) -> str:
        return Seal(settings.SECRET_KEY).close(text)

    def decrypt(self, encrypted_text: str) -> str:
        return Seal(settings.SECRET_KEY).open(encrypted_text)


def _join(user: User, token: str) -> None:
    """An invitation that is not for this person stays as it is: signing in works all the same."""
    try:
        accept_invitation(user, token)
    except NotFound:
        return
