"""`manage.py prepare`: bring the database up to date; on the first start also the operator's account.

Safe to run again: what is there stays as it is.
"""

import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from aifs.database import Unusable, check_server
from aifs.embedded.home import Home, read_json, write_private
from apps.core.access import RIGHTS, Actor
from apps.core.models import ApiKey, Membership, Project, Role, User
from apps.core.services import create_api_key, create_project

OPERATOR = "operator@aifs.local"
PROJECT = "main"


class Command(BaseCommand):
    help = "Migrate, and make the first account, project and key if there are none; writes access.json."
    requires_system_checks: tuple[str, ...] = ()  # `make check` did them; a start should not wait for every URL

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_server(settings.DATABASE_URL)
        except Unusable as error:
            raise CommandError(str(error)) from None
        call_command("migrate", interactive=False, verbosity=1)
        Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
        home = Home(settings.AIFS_HOME)
        access = read_json(home.access)
        if not still_valid(access):
            access = first_access()
        access |= {
            "url": settings.AIFS_URL,
            "gateway_url": settings.AIFS_GATEWAY_URL,
            "grpc_url": f"127.0.0.1:{settings.AIFS_GRPC_PORT}",
        }
        write_private(home.access, json.dumps(access, indent=2) + "\n")


def still_valid(access: dict[str, Any]) -> bool:
    """Whether the key in access.json still exists in this database."""
    prefix = access.get("api_key", "").split("_")[1:2]
    return bool(prefix) and ApiKey.objects.filter(prefix=prefix[0], revoked_at=None).exists()


@transaction.atomic
def first_access() -> dict[str, Any]:
    """The operator's account with a new random password, the first project, and a key with every right.

    Whoever may write to AIFS_HOME may read the database too, so a lost access.json is simply made anew.
    """
    password = secrets.token_urlsafe(18)
    user = User.objects.filter(email=OPERATOR).first() or User.objects.create_superuser(OPERATOR, name="Operator")
    user.set_password(password)
    user.save()
    actor = Actor(user)
    project = Project.objects.filter(slug=PROJECT).first() or create_project(actor, "Main", PROJECT)
    Membership.objects.update_or_create(project=project, user=user, defaults={"role": Role.OWNER})
    _key, plain = create_api_key(Actor(user), project, "access.json", RIGHTS)
    return {"username": user.email, "password": password, "api_key": plain, "project": project.slug}
