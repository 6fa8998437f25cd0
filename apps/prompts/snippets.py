"""How to save a version of a prompt and how to call a published one, as code to copy. The key is never part of it."""

import json
import shlex
from pprint import pformat
from typing import Any

from apps.gpucloud import details
from apps.prompts import selectors
from apps.prompts.models import PromptService, PromptVersion

EXAMPLES: dict[str, Any] = {"text": "…", "long_text": "…", "number": 1, "boolean": True}
PUSH = """from aifs.sdk import Client

Client(project={project!r}).prompts.push(
    {name!r},
    {content},
)"""


def of_version(version: PromptVersion) -> list[dict[str, str]]:
    """[{"title", "code"}]: what it holds as JSON and YAML, and how to save the same again."""
    project, name, content = version.prompt.project.slug, version.prompt.name, selectors.content_of(version)
    written = pformat(content, width=88, sort_dicts=False).replace("\n", "\n    ")
    calls = {
        "YAML": selectors.as_text(version),  # the file of the command below, which names the prompt by itself
        "aifs": shlex.join(["aifs", "prompts", "push", name, f"{name}.yaml"]),
        "Python": PUSH.format(project=project, name=name, content=written),
    }
    return details.written_out({"project": project, "prompt": name, **content}, "prompt-versions", calls)


def of_service(service: PromptService, gateway_url: str) -> list[dict[str, str]]:
    """[{"title", "code"}]: curl, the openai client, the SDK and the command."""
    inputs = {
        variable["name"]: variable["default"] if variable["default"] is not None else _example(variable)
        for variable in service.version.variables
    }
    body = json.dumps({"inputs": inputs}, ensure_ascii=False, indent=2)
    flags = " ".join(f"--var {shlex.quote(f'{name}={value}')}" for name, value in inputs.items())
    return [
        {
            "title": "curl",
            "code": (
                f"curl {gateway_url}/v1/prompts/{service.name}/run \\\n"
                f'  -H "Authorization: Bearer $AIFS_API_KEY" \\\n'
                f'  -H "Content-Type: application/json" \\\n'
                f"  -d {shlex.quote(body)}"
            ),
        },
        {
            "title": "Python (openai)",
            "code": (
                "import os\n\nfrom openai import OpenAI\n\n"
                f'client = OpenAI(base_url="{gateway_url}/v1", api_key=os.environ["AIFS_API_KEY"])\n'
                "answer = client.chat.completions.create(\n"
                f'    model="prompt/{service.name}",\n'
                f'    messages=[{{"role": "user", "content": {json.dumps(_first(service), ensure_ascii=False)}}}],\n'
                f'    extra_body={{"inputs": {_python(inputs, service)}}},\n'
                ")\nprint(answer.choices[0].message.content)"
            ),
        },
        {
            "title": "Python (aifs)",
            "code": (
                "from aifs.sdk import Client\n\n"
                f'answer = Client().prompts.run("{service.name}", {inputs!r})\n'
                'print(answer["choices"][0]["message"]["content"])'
            ),
        },
        {"title": "aifs", "code": f"aifs prompts run {service.name} {flags}".strip()},
    ]


def _example(variable: dict[str, Any]) -> Any:
    return variable["choices"][0] if variable["type"] == "choice" else EXAMPLES[variable["type"]]


def _first(service: PromptService) -> str:
    """What the user message stands for: the primary variable."""
    primary = next((variable for variable in service.version.variables if variable["primary"]), None)
    return str(primary["label"] or primary["name"]) if primary else "…"


def _python(inputs: dict[str, Any], service: PromptService) -> str:
    """The other variables, as a Python literal."""
    primary = {variable["name"] for variable in service.version.variables if variable["primary"]}
    return repr({name: value for name, value in inputs.items() if name not in primary})
