"""A project's settings: keys, members, invitations, its name; and what was done in it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as marked
from django.views.decorators.http import require_POST

from apps.core import lists, selectors, services
from apps.core.errors import NotFound
from apps.core.forms import RIGHT_WORDS, ApiKeyForm, InvitationForm, ProjectForm, RoleForm
from apps.core.lists.own import AUDIT, KEYS, MEMBERS
from apps.core.models import ApiKey, Project
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
    """The keys one may see, and a form for a new one. A new key is shown in the answer to the POST and nowhere else."""
    actor = request.actor  # type: ignore[attr-defined]
    form = ApiKeyForm(request.POST or None, allowed=actor.rights(project) or frozenset())
    fresh = None
    if request.method == "POST" and form.is_valid():
        _key, fresh = services.create_api_key(
            actor, project, form.cleaned_data["name"], form.cleaned_data["rights"], form.expires_at()
        )
        form = ApiKeyForm(allowed=actor.rights(project) or frozenset())
    context = {"form": form, "fresh": fresh, "right_words": RIGHT_WORDS}
    response = lists.show(request, project, KEYS, "core/settings_keys.html", context)
    if fresh:
        response["Cache-Control"] = "no-store"
    return response


@require_POST
@project_page()
def api_key_revoke(request: HttpRequest, project: Project, key: UUID) -> HttpResponse:
    row: ApiKey | None = selectors.list_api_keys(request.actor, project).filter(pk=key).first()  # type: ignore[attr-defined]
    if row is None:
        raise NotFound(marked("There is no such key."))
    services.revoke_api_key(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The key “%(name)s” does not work any more.") % {"name": row.name})
    return redirect("core:settings_keys", project=project.slug)


# --- members


@project_page()
def settings_members(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Who is in. Owners invite: the link is shown in the answer to the POST and nowhere else."""
    actor = request.actor  # type: ignore[attr-defined]
    form = InvitationForm(request.POST or None)
    link = None
    if request.method == "POST":
        actor.require("manage", project)
        if form.is_valid():
            invitation, token = services.invite_member(actor, project, **form.cleaned_data)
            link = request.build_absolute_uri(reverse("core:invitation_open", args=[token]))
            form = InvitationForm()
            messages.success(request, _("Send this link to %(email)s.") % {"email": invitation.email})
    context = {
        "invitations": selectors.list_invitations(project) if actor.may("manage", project) else [],
        "form": form,
        "role_form": RoleForm(),
        "link": link,
    }
    return lists.show(request, project, MEMBERS, "core/settings_members.html", context)


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
    row = selectors.list_invitations(project).filter(pk=invitation).first()
    if row is None:
        raise NotFound(marked("There is no such invitation."))
    services.withdraw_invitation(request.actor, row)  # type: ignore[attr-defined]
    messages.success(request, _("The invitation of %(email)s is withdrawn.") % {"email": row.email})
    return redirect("core:settings_members", project=project.slug)


# --- audit


@project_page("manage")
def audit_list(request: HttpRequest, project: Project) -> HttpResponseBase:
    return lists.show(request, project, AUDIT, "core/audit_list.html")
