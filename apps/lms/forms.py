"""Shapes of what people fill in; rules are in the services."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.access import Actor
from apps.core.forms import NAME_ERRORS
from apps.core.models import Project
from apps.lms import selectors
from apps.lms.models import Deployment, Model, ModelVersion
from apps.lms.services.deployments import NAME_CHARACTERS, REPLICAS_MAX
from workers.lms.engines.base import runtimes


def offer(field: Any, project: Project) -> None:
    """What the project may deploy; of another project's it says so."""

    def label(version: ModelVersion) -> str:
        if version.model.project_id == project.pk:
            return str(version)
        words = {"thing": str(version), "place": version.model.project.name}
        return gettext("%(thing)s (shared from %(place)s)") % words

    field.queryset = selectors.list_usable(project)
    field.label_from_instance = label


class DeploymentForm(forms.Form):
    """What every deployment has; parameters of the instances come from the form of `lms.serve`."""

    name = forms.SlugField(
        label=_("Name"),
        max_length=NAME_CHARACTERS,
        error_messages=NAME_ERRORS,
        help_text=_("Programs ask for this name, so keep it short and stable."),
    )
    model = forms.ModelChoiceField(label=_("Model"), queryset=ModelVersion.objects.none(), empty_label=None)
    replicas = forms.IntegerField(
        label=_("Replicas"),
        min_value=1,
        max_value=REPLICAS_MAX,
        initial=1,
        help_text=_("Instances that share the requests."),
    )
    cpus = forms.IntegerField(
        label=_("Cores"),
        min_value=1,
        max_value=4096,
        initial=1,
        help_text=_("Of each instance. More cores answer faster, and are taken from other work."),
    )
    runtime = forms.ChoiceField(
        label=_("Runtime"), help_text=_("Automatic takes the fastest engine that serves this model exactly.")
    )

    def __init__(self, *args: Any, actor: Actor, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self.fields["model"], project)
        known = [(name, gettext(runtime.label)) for name, runtime in runtimes.items()]
        self.fields["runtime"].choices = [("auto", _("Automatic")), *known]  # type: ignore[attr-defined]


class ExternalForm(forms.Form):
    """Somebody else's endpoint behind our gateway."""

    name = forms.SlugField(
        label=_("Name"),
        max_length=NAME_CHARACTERS,
        error_messages=NAME_ERRORS,
        help_text=_("Programs ask for this name."),
    )
    external_url = forms.URLField(
        label=_("Address"),
        assume_scheme="https",
        help_text=_("For example https://host/v1; it must speak OpenAI's protocol."),
    )
    external_model = forms.CharField(
        label=_("Its model"),
        required=False,
        max_length=200,
        help_text=_("The name it knows the model by, when it differs."),
    )
    external_key = forms.CharField(
        label=_("Its key"), required=False, max_length=500, widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept encrypted, never shown again."),
    )  # fmt: skip


class ScaleForm(forms.Form):
    """Change a deployment that runs."""

    model = forms.ModelChoiceField(label=_("Model version"), queryset=ModelVersion.objects.none(), empty_label=None)
    replicas = forms.IntegerField(label=_("Replicas"), min_value=1, max_value=REPLICAS_MAX)

    def __init__(self, *args: Any, actor: Actor, deployment: Deployment, **kwargs: Any) -> None:
        initial = {"model": deployment.model_version_id, "replicas": deployment.replicas}
        super().__init__(*args, initial=initial, **kwargs)
        offer(self.fields["model"], deployment.project)


class ModelForm(forms.ModelForm):
    class Meta:
        model = Model
        fields = ("description", "licence")
        labels = {"description": _("Description"), "licence": _("Licence")}  # noqa: RUF012
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}  # noqa: RUF012


class CardForm(forms.ModelForm):
    class Meta:
        model = ModelVersion
        fields = ("card",)
        labels = {"card": _("Model card (Markdown)")}  # noqa: RUF012
        widgets = {"card": forms.Textarea(attrs={"rows": 10})}  # noqa: RUF012
