"""A project's settings: keys, members, invitations, its name; and what was done in it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import lists, selectors, services
from apps.core.forms import RIGHT_WORDS, ApiKeyForm, InvitationForm, ProjectForm, RoleForm, RotationForm
from apps.core.lists.own import AUDIT, KEYS, MEMBERS
from apps.core.models import Invitation, Project
from apps.core.pages import project_page, signed_in_page


@signed_in_page
def project_create(request: HttpRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = services.create_project(request.actor, **form.cleaned_data)  # type: ignore[attr-defined]
        return redirect("core:dashboard", project=project.slug)
    return render(request, "core/project_create.html", {"form": form})


@project_page("manage")
def settings_project(request: HttpRequest, project: Project) -> HttpResponse:
    form = ProjectForm(request.POST or None, initial={"name": project.name, "description": project.description})
    del form.fields["slug"]
    if request.method == "POST" and form.is_valid():
        services.update_project(request.actor, project, **form.cleaned_data)  # type: ignore[attr-defined]
        messages.success(request, _("Saved."))
        return redirect("core:settings_project", project=project.slug)
    return render(request, "core/settings_project.html", {"form": form})


# --- keys


@project_page()
def settings_keys(request: HttpRequest, project: Project) -> HttpResponseBase:
    """The keys one may see, and a form for a new one."""
    actor = request.actor  # type: ignore[attr-defined]
    form = ApiKeyForm(request.POST or None, allowed=actor.rights(project) or frozenset())
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        _key, fresh = services.create_api_key(actor, project, wanted["name"], wanted["rights"], form.expires_at())
        return _keys(request, project, fresh=fresh)
    return _keys(request, project, form=form)


def _keys(request: HttpRequest, project: Project, form: Any = None, fresh: str = "") -> HttpResponseBase:
    """A fresh key is shown in the answer to the POST and nowhere else."""
    rights = request.actor.rights(project) or frozenset()  # type: ignore[attr-defined]
    context = {"form": form or ApiKeyForm(allowed=rights), "fresh": fresh, "right_words": RIGHT_WORDS}
    response = lists.show(request, project, KEYS, "core/settings_keys.html", context)
    if fresh:
        response["Cache-Control"] = "no-store"
    return response


@project_page()
def api_key_rotate(request: HttpRequest, project: Project, key: UUID) -> HttpResponseBase:
    """Asks how long the old key works on; the new one is shown in the answer to the POST and nowhere else."""
    row = selectors.get_api_key(request.actor, project, key)  # type: ignore[attr-defined]
    form = RotationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        grace = timedelta(hours=form.cleaned_data["grace_hours"])
        _new, fresh = services.rotate_api_key(request.actor, row, grace)  # type: ignore[attr-defined]
        return _keys(request, project, fresh=fresh)
    return render(request, "core/api_key_rotate.html", {"form": form, "key": row})


@require_POST
@project_page()
def api_key_revoke(request: HttpRequest, project: Project, key: UUID) -> HttpResponse:
    row = selectors.get_api_key(request.actor, project, key)  # type: ignore[attr-defined]
    services.revoke_api_key(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The key “%(name)s” does not work any more.") % {"name": row.name})
    return redirect("core:settings_keys", project=project.slug)


# --- members


@project_page()
def settings_members(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Who is in. Owners invite."""
    actor = request.actor  # type: ignore[attr-defined]
    form = InvitationForm(request.POST or None)
    if request.method == "POST":
        actor.require("manage", project)
        if form.is_valid():
            invitation, token = services.invite_member(actor, project, **form.cleaned_data)
            return _members(request, project, invited=invitation, token=token)
    return _members(request, project, form=form)


def _members(
    request: HttpRequest, project: Project, form: Any = None, invited: Invitation | None = None, token: str = ""
) -> HttpResponseBase:
    """The link of an invitation is shown in the answer to the POST and nowhere else."""
    manages = request.actor.may("manage", project)  # type: ignore[attr-defined]
    context = {
        "invitations": selectors.list_invitations(project)[:50] if manages else [],  # the newest; nobody reads more
        "form": form or InvitationForm(),
        "role_form": RoleForm(),
        "link": request.build_absolute_uri(reverse("core:invitation_open", args=[token])) if token else None,
    }
    if invited:
        messages.success(request, _("Send this link to %(email)s.") % {"email": invited.email})
    response = lists.show(request, project, MEMBERS, "core/settings_members.html", context)
    if token:
        response["Cache-Control"] = "no-store"
    return response


@require_POST
@project_page()
def member_remove(request: HttpRequest, project: Project, member: UUID) -> HttpResponse:
    row = selectors.get_member(project, member)
    services.remove_member(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("%(person)s is no longer a member.") % {"person": row.user})
    return redirect("home" if row.user_id == request.user.pk else reverse("core:settings_members", args=[project.slug]))


@require_POST
@project_page("manage")
def member_change_role(request: HttpRequest, project: Project, member: UUID) -> HttpResponse:
    services.change_role(request.actor, selectors.get_member(project, member), request.POST.get("role", ""))  # type: ignore[attr-defined]
    messages.success(request, _("Saved."))
    return redirect("core:settings_members", project=project.slug)


@require_POST
@project_page("manage")
def invitation_withdraw(request: HttpRequest, project: Project, invitation: UUID) -> HttpResponse:
    row = selectors.get_invitation(project, invitation)
    services.withdraw_invitation(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The invitation of %(email)s is withdrawn.") % {"email": row.email})
    return redirect("core:settings_members", project=project.slug)


@require_POST
@project_page("manage")
def invitation_resend(request: HttpRequest, project: Project, invitation: UUID) -> HttpResponseBase:
    """A new link in place of the one before."""
    row = selectors.get_invitation(project, invitation)
    token = services.resend_invitation(request.actor, row)  # type: ignore[attr-defined]
    return _members(request, project, invited=row, token=token)


# --- audit


@project_page("manage")
def audit_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, AUDIT, "core/audit_list.html")
