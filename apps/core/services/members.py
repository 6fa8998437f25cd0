"""Members of a project, their roles, and how new people come in: by invitation only."""

import secrets
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core import key_changes
from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.models import Invitation, Membership, Project, Role, User
from apps.core.services.audit import record_audit
from apps.core.services.keys import hash_key
from apps.core.services.notices import emit

INVITATION_DAYS = 7


@transaction.atomic
def invite_member(actor: Actor, project: Project, email: str, role: str) -> tuple[Invitation, str]:
    """Ask somebody in. Returns the invitation and the token of its link, which is nowhere else.

    A second invitation to the same address replaces the first. Raises Conflict for a member.
    """
    actor.require("manage", project)
    email = email.strip().lower()
    check_role(role)
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInput(_("“%(email)s” is not an e-mail address."), email=email) from None
    if Membership.objects.filter(project=project, user__email=email).exists():
        raise Conflict(_("%(email)s is already a member."), email=email)
    Invitation.objects.filter(project=project, email=email, accepted_at__isnull=True).delete()
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        project=project,
        email=email,
        role=role,
        hash=hash_key(token),
        invited_by=actor.user,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    record_audit(actor, "invitation.create", invitation, role=role)
    return invitation, token


def find_invitation(token: str) -> Invitation:
    """The open invitation of a link. Raises NotFound when it is unknown, used or too old."""
    invitation = (
        Invitation.objects.select_related("project")
        .filter(hash=hash_key(token), accepted_at__isnull=True, expires_at__gt=timezone.now())
        .first()
    )
    if invitation is None:
        raise NotFound(
            _("This invitation is not valid any more."), hint=_("Ask an owner of the project to send a new one.")
        )
    return invitation


@transaction.atomic
def accept_invitation(user: User, token: str) -> Membership:
    """Join the project of an invitation. Raises NotFound, also when the invitation was sent to somebody else."""
    invitation = find_invitation(token)
    if invitation.email != user.email.lower():
        raise NotFound(_("This invitation was sent to another e-mail address."))
    if not Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True).update(accepted_at=timezone.now()):
        raise NotFound(_("This invitation is not valid any more."))
    membership, _created = Membership.objects.get_or_create(
        project=invitation.project, user=user, defaults={"role": invitation.role}
    )
    record_audit(Actor(user), "member.join", membership, role=membership.role)
    emit(
        "invitation.accepted", invitation.project, to=[invitation.invited_by], by=user,
        url=reverse("core:settings_members", args=[invitation.project.slug]),
        person=str(user), place=invitation.project.name,
    )  # fmt: skip
    return membership


@transaction.atomic
def resend_invitation(actor: Actor, invitation: Invitation) -> str:
    """A new link with a week of its own; the one before stops working. Returns its token. Raises NotFound for one that
    was accepted meanwhile."""
    actor.require("manage", invitation.project)
    token = secrets.token_urlsafe(32)
    renewed = Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True).update(
        hash=hash_key(token), expires_at=timezone.now() + timedelta(days=INVITATION_DAYS)
    )
    if not renewed:
        raise NotFound(_("There is no such invitation."))
    record_audit(actor, "invitation.resend", invitation)
    return token


@transaction.atomic
def withdraw_invitation(actor: Actor, invitation: Invitation) -> None:
    actor.require("manage", invitation.project)
    record_audit(actor, "invitation.withdraw", invitation)
    invitation.delete()


@transaction.atomic
def change_role(actor: Actor, membership: Membership, role: str) -> None:
    """Raises Conflict when the project would be left without an owner."""
    actor.require("manage", membership.project)
    check_role(role)
    _keep_an_owner(membership, role)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    record_audit(actor, "member.change_role", membership, before=membership.role, role=role)
    membership.role = role
    key_changes.announce()


@transaction.atomic
def remove_member(actor: Actor, membership: Membership) -> None:
    """Owners remove anybody; everybody may leave. The member's keys of this project stop working with it."""
    if membership.user_id != actor.user.pk or actor.api_key:
        actor.require("manage", membership.project)
    _keep_an_owner(membership, None)
    record_audit(actor, "member.remove", membership, email=membership.user.email)
    membership.delete()
    key_changes.announce()


def check_role(role: str) -> None:
    if role not in Role.values:
        raise InvalidInput(_("Unknown role; known are %(known)s."), known=", ".join(Role.values))


def _keep_an_owner(membership: Membership, role: str | None) -> None:
    """Locks the project's owners, so that two of them cannot leave at the same moment."""
    if membership.role != Role.OWNER or role == Role.OWNER:
        return
    owners = Membership.objects.select_for_update().filter(project=membership.project, role=Role.OWNER)
    if list(owners.values_list("pk", flat=True)) == [membership.pk]:
        raise Conflict(_("A project needs an owner."), hint=_("Make somebody else an owner first."))
