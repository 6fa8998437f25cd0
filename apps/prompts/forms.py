"""Shape of what people type into the pages of prompts. Rules about state are in services."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.errors import AifsError, translate
from apps.core.forms import NAME_ERRORS
from apps.core.models import Project
from apps.lms.models import Deployment
from apps.prompts import selectors, templating
from apps.prompts.models import PromptVersion

FIRST_MESSAGES = [{"role": "system", "content": ""}, {"role": "user", "content": "{{ question }}"}]


class PromptForm(forms.Form):
    name = forms.SlugField(
        label=_("Name"),
        max_length=80,
        error_messages=NAME_ERRORS,
        help_text=_("Letters, digits, hyphens and underscores; it stands in addresses."),
    )
    description = forms.CharField(
        label=_("What it is for"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )


class VersionForm(forms.Form):
    """What the editor holds. `<prompt-editor>` draws cards over the two JSON fields; without scripts they stay text."""

    messages = forms.JSONField(label=_("Messages"), widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}))
    variables = forms.JSONField(
        label=_("Variables"), required=False, widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"})
    )
    deployment = forms.ModelChoiceField(
        Deployment.objects.none(),
        label=_("Deployment"),
        required=False,
        empty_label=_("None yet"),
        help_text=_("The model that answers."),
    )
    temperature = forms.FloatField(
        label=_("Temperature"),
        required=False,
        min_value=0,
        max_value=2,
        help_text=_("0 answers the same each time; higher varies more."),
    )
    top_p = forms.FloatField(label=_("Top p"), required=False, min_value=0.01, max_value=1)
    max_tokens = forms.IntegerField(label=_("Longest answer (tokens)"), required=False, min_value=1, max_value=131_072)
    note = forms.CharField(label=_("What changed"), required=False, max_length=200)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["deployment"].queryset = selectors.list_deployments(project)  # type: ignore[attr-defined]

    @classmethod
    def of(cls, version: PromptVersion | None, project: Project) -> "VersionForm":
        """The form filled with a version, or with a first draft."""
        if version is None:
            deployment = selectors.list_deployments(project).order_by("-created_at").first()
            return cls(project=project, initial={"messages": FIRST_MESSAGES, "variables": [], "deployment": deployment})
        initial = {"messages": version.messages, "variables": version.variables, "deployment": version.deployment_id}
        return cls(project=project, initial=initial | version.settings)

    def settings(self) -> dict[str, Any]:
        names = ("temperature", "top_p", "max_tokens")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name) is not None}

    def content(self) -> dict[str, Any]:
        """Arguments of `services.create_version`."""
        return {
            "messages": self.cleaned_data["messages"],
            "variables": self.cleaned_data["variables"] or None,
            "deployment": self.cleaned_data["deployment"],
            "settings": self.settings(),
            "note": self.cleaned_data["note"],
        }

    def blame(self, error: AifsError) -> None:
        """Show what a service refused beside the field it is about."""
        problems = error.data.get("errors") or [{"field": ""}]
        field = str(problems[0].get("field", "")).split(".")[0]
        self.add_error(field if field in self.fields else None, translate(error.message, error.data))


class ValuesForm(forms.Form):
    """A value for each variable of a template, in its type. What is wrong with a value is said by the service."""

    PREFIX = "value"

    def __init__(self, data: Any = None, *, variables: list[dict[str, Any]]) -> None:
        super().__init__(data, prefix=self.PREFIX, use_required_attribute=False)
        for variable in variables:
            known = templating.Variable(**variable)
            field = _value_field(known)
            field.required = known.required and known.default is None and known.type != "boolean"
            field.initial = known.default
            field.label = known.label or known.name
            self.fields[known.name] = field
        self.variables = variables

    def being_filled(self) -> "ValuesForm":
        """The same while somebody still types: what is empty is no mistake yet."""
        for name, errors in self.errors.as_data().items():
            if all(error.code == "required" for error in errors):
                del self.errors[name]
        return self

    def inputs(self) -> dict[str, Any]:
        """What was typed, empty ones left out; what is no number is passed on as it is, for the service to name."""
        self.full_clean()
        typed = {name: self.cleaned_data.get(name, self[name].data) for name in self.fields}
        return {name: value for name, value in typed.items() if value not in (None, "")}


def _value_field(variable: templating.Variable) -> forms.Field:
    if variable.type == "long_text":
        return forms.CharField(widget=forms.Textarea(attrs={"rows": 4}))
    if variable.type == "number":
        return forms.FloatField()
    if variable.type == "choice":
        return forms.ChoiceField(choices=[("", "—"), *((choice, choice) for choice in variable.choices)])
    if variable.type == "boolean":
        return forms.BooleanField()
    return forms.CharField()


class PublishForm(forms.Form):
    """Under which name a version answers."""

    name = forms.SlugField(
        label=_("Service name"),
        max_length=80,
        error_messages=NAME_ERRORS,
        help_text=_("Programs call it as the model prompt/<name>."),
    )


class SwitchForm(forms.Form):
    """Which version a service answers with."""

    version = forms.TypedChoiceField(label=_("Version"), coerce=int)

    def __init__(self, *args: Any, versions: list[PromptVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = [  # type: ignore[attr-defined]
            (version.number, f"{version.number} – {version.note}" if version.note else str(version.number))
            for version in versions
        ]


class CompareForm(forms.Form):
    """Two versions to compare, from the address of the page."""

    old = forms.IntegerField(min_value=1, required=False)
    new = forms.IntegerField(min_value=1, required=False)
