"""Signing up is by invitation only: the link of an invitation opens the form, for that address alone."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.models import Invitation, User
from apps.core.services import accept_invitation, record_audit
from apps.core.services.members import find_invitation

INVITATION = "invitation"
"""Where the session keeps the token of an opened link."""


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
        """A new person joins the project of the invitation in the same transaction."""
        user = super().save_user(request, user, form, commit)
        if commit:
            accept_invitation(user, request.session.pop(INVITATION))
        return user

    def login(self, request: HttpRequest, user: User) -> None:
        """Signing in brings one's language along, and accepts an invitation whose link was opened before."""
        token = request.session.get(INVITATION)
        super().login(request, user)
        request.session["language"] = user.language
        record_audit(Actor(user, ip=request.META.get("REMOTE_ADDR") or None), "user.sign_in", user)
        if token:
            request.session.pop(INVITATION, None)
            _join(user, token)


def _join(user: User, token: str) -> None:
    """An invitation that is not for this person stays as it is: signing in works all the same."""
    try:
        accept_invitation(user, token)
    except NotFound:
        return
