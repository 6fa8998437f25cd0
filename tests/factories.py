"""People named by their part, and what they work with.

house = make_house()            # a project with one member of every role, and a stranger with a project of his own
house.owner, house.engineer, house.data_scientist, house.expert, house.viewer, house.stranger
house.actor("expert")           # an Actor
house.key("engineer")           # an API key in plain
house.client("viewer")          # a signed-in Django test client
"""

from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from apps.core.access import ROLE_RIGHTS, Actor
from apps.core.models import Artefact, Membership, Project, Role, Team, User
from apps.core.services import create_api_key, register_artefact

PASSWORD = "long enough to pass 7"


def make_user(name: str = "somebody", **fields: Any) -> User:
    return User.objects.create_user(f"{name}@example.com", PASSWORD, name=name, **fields)


def make_project(slug: str = "harbour", owner: User | None = None) -> Project:
    project = Project.objects.create(team=Team.objects.create(name=slug), slug=slug, name=slug.title())
    if owner:
        Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    return project


def make_actor(user: User) -> Actor:
    return Actor(user, ip="127.0.0.1")


def make_key(user: User, project: Project, rights: list[str] | None = None, **fields: Any) -> str:
    """An API key in plain, with all of the user's rights unless told otherwise."""
    actor = Actor(user)
    return create_api_key(actor, project, "test", rights or sorted(actor.rights(project) or ()), **fields)[1]


def make_artefact(project: Project, name: str = "thing", type: str = "thing", **fields: Any) -> Artefact:
    """An artefact without files, of a type that no app knows unless told otherwise."""
    return register_artefact(project=project, type=type, name=name, manifest={}, **fields)


def bearer(key: str) -> dict[str, str]:
    """Headers for Django's test client."""
    return {"Authorization": f"Bearer {key}"}


@dataclass
class House:
    """A project with its people; `stranger` has another project and is no member here."""

    project: Project
    owner: User
    engineer: User
    data_scientist: User
    expert: User
    viewer: User
    stranger: User
    other_project: Project
    keys: dict[str, str] = field(default_factory=dict)

    def user(self, part: str) -> User:
        return getattr(self, part)  # type: ignore[no-any-return]

    def actor(self, part: str = "owner") -> Actor:
        return make_actor(self.user(part))

    def client(self, part: str | None = "owner") -> Client:
        """A browser; part None: not signed in."""
        client = Client()
        if part:
            client.force_login(self.user(part), backend="django.contrib.auth.backends.ModelBackend")
        return client

    def key(self, part: str = "owner") -> str:
        """One key per person, made when first asked for; a stranger's is for his own project."""
        if part not in self.keys:
            project = self.other_project if part == "stranger" else self.project
            self.keys[part] = make_key(self.user(part), project)
        return self.keys[part]

    def api(self, part: str = "owner") -> Client:
        """A program with an API key."""
        return Client(headers=bearer(self.key(part)))


def make_house(slug: str = "harbour") -> House:
    people = {role: make_user(f"{role}-{slug}") for role in ROLE_RIGHTS}
    project = make_project(slug)
    for role, user in people.items():
        Membership.objects.create(project=project, user=user, role=role)
    stranger = make_user(f"stranger-{slug}")
    return House(
        project=project, stranger=stranger, other_project=make_project(f"{slug}-elsewhere", stranger), **people
    )
