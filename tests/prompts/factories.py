"""Prompts, versions and services to test with."""

from typing import Any

from apps.core.services import register_artefact
from apps.lms.models import Deployment, Model, ModelVersion
from apps.prompts import services
from apps.prompts.models import Prompt, PromptService, PromptVersion
from tests.factories import House

MESSAGES = [
    {"role": "system", "content": "Answer in a {{ tone }} voice."},
    {"role": "user", "content": "{{ question }}"},
]
VARIABLES: list[dict[str, Any]] = [
    {"name": "question", "type": "long_text", "label": "Question", "primary": True},
    {"name": "tone", "type": "choice", "choices": ["warm", "dry"], "default": "warm"},
]


def make_deployment(house: House, name: str = "harbour-chat") -> Deployment:
    """A deployment of a model without files."""
    model, _new = Model.objects.get_or_create(project=house.project, name="tiny")
    number = model.versions.count() + 1
    artefact = register_artefact(project=house.project, type="model_version", name=f"tiny:{number}", manifest={})
    version = ModelVersion.objects.create(artefact=artefact, model=model, number=number, format="safetensors")
    return Deployment.objects.create(project=house.project, name=name, model_version=version)


def make_version(house: House, name: str = "greeter", **content: Any) -> PromptVersion:
    """The next version of a prompt, which is created if need be."""
    actor = house.actor()
    prompt = Prompt.objects.filter(project=house.project, name=name).first()
    prompt = prompt or services.create_prompt(actor, house.project, name)
    content = {"messages": MESSAGES, "variables": VARIABLES, "settings": {"temperature": 0}} | content
    if "deployment" not in content:
        content["deployment"] = Deployment.objects.filter(project=house.project).first() or make_deployment(house)
    return services.create_version(actor, prompt, **content)


def make_service(house: House, name: str = "greeter") -> PromptService:
    return services.publish_version(house.actor(), make_version(house, name))
