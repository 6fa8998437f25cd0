"""Prompts: templates with typed variables, their versions, and services published from them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aifs.sdk.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from aifs.sdk.client import Client

Rows = list[dict[str, Any]]


class Prompts:
    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(self, name: str, description: str = "") -> dict[str, Any]:
        """Raises Conflict when the name is taken."""
        body = {"project": self._client.project, "name": name, "description": description}
        answer: dict[str, Any] = self._client.post("prompts/", body)
        return answer

    def list(self, **filters: Any) -> Rows:
        filters.setdefault("project", self._client.project)
        return list(self._client.pages("prompts/", **filters))

    def get(self, ref: str) -> dict[str, Any]:
        """By id or name. Raises NotFound."""
        for prompt in self.list() if "-" in ref and len(ref) == 36 else self.list(name=ref):
            if ref in (prompt["name"], prompt["id"]):
                return prompt
        raise NotFound(f"There is no prompt called {ref}.", code="not_found")

    def version(self, ref: str) -> dict[str, Any]:
        """A version by `name` (newest) or `name:version`. Raises NotFound."""
        name, _colon, number = ref.partition(":")
        prompt = self.get(name)
        for version in self._client.pages("prompt-versions/", prompt=prompt["id"], number=number or None):
            return version
        raise NotFound(f"There is no prompt version {ref}.", code="not_found")

    def push(self, name: str, content: dict[str, Any], *, note: str = "", create: bool = True) -> dict[str, Any]:
        """Save content (messages, variables, deployment, settings) as the next version, creating the prompt if need
        be. When nothing changed the newest version comes back."""
        try:
            prompt = self.get(name)
        except NotFound:
            if not create:
                raise
            prompt = self.create(name)
        answer: dict[str, Any] = self._client.post(
            "prompt-versions/", {"prompt": prompt["id"], **content, "note": note or content.get("note", "")}
        )
        return answer

    def test(self, ref: str, inputs: dict[str, Any], *, deployment: str = "") -> dict[str, Any]:
        """Render a version and let its deployment (or another one) answer: {"messages", "text", "usage", …}."""
        version = self.version(ref)
        body = {"inputs": inputs} | ({"deployment": deployment} if deployment else {})
        answer: dict[str, Any] = self._client.post(f"prompt-versions/{version['id']}/test/", body)
        return answer

    def publish(self, ref: str, service: str = "") -> dict[str, Any]:
        """Offer a version at the gateway as model `prompt/<service>`."""
        version = self.version(ref)
        answer: dict[str, Any] = self._client.post(
            f"prompt-versions/{version['id']}/publish/", {"name": service} if service else {}
        )
        return answer

    def services(self, **filters: Any) -> Rows:
        filters.setdefault("project", self._client.project)
        return list(self._client.pages("prompt-services/", **filters))

    def run(self, service: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Call a published prompt by its own route at the gateway."""
        return self._client.gateway.run_prompt(service, inputs)


def read_file(path: str | Path) -> dict[str, Any]:
    """A prompt from a YAML or JSON file; any other file is the text of one user message.

    Raises NotFound, or InvalidInput when it holds no prompt.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", code="no_file")
    text = path.read_text(encoding="utf-8")
    if path.suffix not in {".yaml", ".yml", ".json"}:
        return {"messages": [{"role": "user", "content": text}]}
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} is not YAML: {error}", code="bad_file") from None
    if not isinstance(content, dict) or "messages" not in content:
        raise InvalidInput(f"{path} has no `messages`.", code="bad_file")
    return content
