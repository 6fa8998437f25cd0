"""Filters of the job list."""

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.gpucloud.models import JobState

STATES = [("", _("All states")), ("active", _("Running or waiting")), ("ended", _("Ended")), *JobState.choices]


class JobFilterForm(forms.Form):
    """state, kind and part of a name; anything else in the URL is ignored."""

    q = forms.CharField(required=False, max_length=200, label=_("Name or id"))
    state = forms.ChoiceField(required=False, choices=STATES, label=_("State"))
    kind = forms.ChoiceField(required=False, label=_("Kind"))

    def __init__(self, *args: object, kinds: list[tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["kind"].choices = [("", _("All kinds")), *kinds]  # type: ignore[attr-defined]
        self.fields["q"].widget.attrs["placeholder"] = self.fields["q"].label
        for field in self.fields.values():
            field.widget.attrs["class"] = "select select-sm" if hasattr(field, "choices") else "input input-sm"
