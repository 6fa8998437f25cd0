"""Shape of what people type: a dataset's description, and a recipe step by step."""

from typing import Any, ClassVar

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.models import Project
from apps.core.paramforms import ParamsForm
from apps.datasets.models import Dataset
from workers.datasets.base import Step, steps
from workers.datasets.recipes import default_recipe
from workers.kinds import Kind


class DatasetForm(forms.ModelForm):
    class Meta:
        model = Dataset
        fields: ClassVar = ["kind", "description"]
        labels: ClassVar = {"kind": _("What it is for"), "description": _("Description")}
        widgets: ClassVar = {"description": forms.Textarea(attrs={"rows": 4})}


class StepForm(ParamsForm):
    """Options of one cleaning step, and whether the recipe has it."""

    def __init__(self, name: str, step: Step, project: Project, data: Any, use: bool) -> None:
        self.name, self.step = name, step
        super().__init__(Kind(name, step.label, lambda params, io: {}, step.params), project, data)
        self.prefix = name
        self.use = f"{name}-use" in data if data is not None else use

    @property
    def label(self) -> str:
        return gettext(self.step.label)

    @property
    def help(self) -> str:
        return gettext(self.step.help)

    def options(self) -> dict[str, Any]:
        return {"step": self.name, **self.params(all=True)}


class RecipeForm:
    """Every known step in its usual order, those of the default recipe switched on. name: of the result."""

    def __init__(self, project: Project, data: QueryDict | None = None) -> None:
        start = {options["step"] for options in default_recipe()}
        ordered = sorted(steps.items(), key=lambda item: item[1].order)
        self.steps = [StepForm(name, step, project, data, name in start) for name, step in ordered]
        self.name = (data.get("name", "") if data is not None else "").strip()
        self.error = ""

    def is_valid(self) -> bool:
        """Options of steps that are switched off do not matter."""
        if not any(step.use for step in self.steps):
            self.error = gettext("Switch on at least one step.")
        if len(self.name) > 120:
            self.error = gettext("The name is too long.")
        wrong = [step for step in self.steps if step.use and not step.is_valid()]
        return not wrong and not self.error

    def recipe(self) -> list[dict[str, Any]]:
        return [step.options() for step in self.steps if step.use]
