"""Language, one's own account, and the link of an invitation."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.core import accounts, selectors, services
from apps.core.devices import device
from apps.core.forms import ProfileForm
from apps.core.pages import back, open_page, signed_in_page
from apps.core.services.members import find_invitation
from apps.core.services.people import check_language


@open_page
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Switch the language: kept with the account when signed in, and in a cookie for the sign-in page."""
    language = request.POST.get("language", "")
    check_language(language)
    if request.actor.is_authenticated:  # type: ignore[attr-defined]
        services.set_language(request.user, language)
        request.session["language"] = language
    response = back(request, "/")
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME, language, max_age=31_536_000, samesite="Lax", secure=settings.AIFS_HTTPS
    )
    return response


@signed_in_page
def settings_profile(request: HttpRequest) -> HttpResponse:
    person = request.user
    form = ProfileForm(request.POST or None, initial={"name": person.name, "language": person.language})
    if request.method == "POST" and form.is_valid():
        services.set_profile(request.user, **form.cleaned_data)
        request.session["language"] = form.cleaned_data["language"]
        translation.activate(form.cleaned_data["language"])
        messages.success(request, _("Saved."))
        return redirect("core:settings_profile")
    return render(request, "core/settings_profile.html", {"form": form})


@signed_in_page
def session_list(request: HttpRequest) -> HttpResponse:
    """Where one is signed in, this browser first."""
    rows = [
        {"session": row, "device": device(row.user_agent), "here": row.session_key == request.session.session_key}
        for row in selectors.list_sessions(request.user)
    ]
    rows.sort(key=lambda row: not row["here"])
    return render(request, "core/session_list.html", {"rows": rows})


@require_POST
@signed_in_page
def session_end(request: HttpRequest, session: int) -> HttpResponse:
    services.end_session(request.actor, session)  # type: ignore[attr-defined]
    messages.success(request, _("That session is signed out."))
    return redirect("core:session_list")


@require_POST
@signed_in_page
def session_end_others(request: HttpRequest) -> HttpResponse:
    services.end_other_sessions(request.actor, request.session.session_key)  # type: ignore[attr-defined]
    messages.success(request, _("You are signed out everywhere else."))
    return redirect("core:session_list")


@open_page
def invitation_open(request: HttpRequest, token: str) -> HttpResponse:
    """The link of an invitation: joins when signed in, else leads to the sign-up form (or to signing in)."""
    invitation = find_invitation(token)
    if request.actor.is_authenticated:  # type: ignore[attr-defined]
        services.accept_invitation(request.user, token)
        messages.success(request, _("Welcome to %(project)s.") % {"project": invitation.project.name})
        return redirect("core:dashboard", project=invitation.project.slug)
    request.session[accounts.INVITATION] = token
    return redirect("account_signup")
