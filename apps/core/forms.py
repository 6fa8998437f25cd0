"""Shape of what people type into core's pages. Rules about state are in services."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core import notices
from apps.core.access import RIGHTS
from apps.core.models import Role

NAME_ERRORS = {"invalid": _("Use letters a-z, digits, - and _; the name stands in addresses.")}
"""Of fields that hold a name by which programs ask."""

RIGHT_LABELS = {
    "view": _("See everything in the project"),
    "label": _("Label data"),
    "run_simple": _("Import data and start simple jobs"),
    "run": _("Start any job with every parameter"),
    "deploy": _("Deploy models"),
    "publish": _("Publish prompt services"),
    "manage": _("Manage members and keys"),
}


RIGHT_WORDS = {
    "view": _("View"),
    "label": _("Labeling"),
    "run_simple": _("Simple jobs"),
    "run": _("All jobs"),
    "deploy": _("Deploy"),
    "publish": _("Publish"),
    "manage": _("Manage"),
}


class ProfileForm(forms.Form):
    name = forms.CharField(label=_("Your name"), max_length=150, required=False)
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)


class ProjectForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    slug = forms.SlugField(
        label=_("Short name"), max_length=60, required=False, help_text=_("Stands in addresses; made from the name.")
    )
    description = forms.CharField(label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3}))


class ApiKeyForm(forms.Form):
    """A key for oneself, with at most one's own rights."""

    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("What will use it, for example “nightly import”.")
    )
    rights = forms.MultipleChoiceField(label=_("What it may do"), widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label=_("Works for"),
        coerce=int,
        initial=90,
        choices=[(7, _("7 days")), (30, _("30 days")), (90, _("90 days")), (365, _("1 year")), (0, _("No end"))],
    )

    def __init__(self, *args: Any, allowed: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rights"].choices = [(right, RIGHT_LABELS[right]) for right in RIGHTS if right in allowed]
        self.fields["rights"].initial = [right for right in RIGHTS if right in allowed and right != "manage"]

    def expires_at(self) -> Any:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None


class RotationForm(forms.Form):
    """A new secret for a key."""

    grace_hours = forms.TypedChoiceField(
        label=_("The old key works on for"),
        coerce=int,
        initial=24,
        choices=[
            (0, _("no time: it stops at once")),
            (1, _("1 hour")),
            (24, _("1 day")),
            (72, _("3 days")),
            (168, _("7 days")),
        ],
        help_text=_("Long enough to give the new key to every program that uses the old one."),
    )


class HeardEventsForm(forms.Form):
    """What somebody wants to be told of."""

    events = forms.MultipleChoiceField(
        label=_("Tell me when"), choices=notices.choices, widget=forms.CheckboxSelectMultiple, required=False
    )


class WebhookForm(forms.Form):
    url = forms.URLField(
        label=_("Address"), max_length=500, assume_scheme="https", help_text=_("Must be reachable from here.")
    )
    events = forms.MultipleChoiceField(label=_("Events"), choices=notices.choices, widget=forms.CheckboxSelectMultiple)
    enabled = forms.BooleanField(label=_("Send messages"), required=False)


class InvitationForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.EXPERT)


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
