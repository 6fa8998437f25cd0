"""`aifs login`: remember an installation and a key."""

import argparse
import getpass
import sys
from typing import Any

from aifs.sdk.access import DEFAULT_URL, Access, store_access
from aifs.sdk.cli.output import Output
from aifs.sdk.client import Client
from aifs.sdk.errors import InvalidInput


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "login",
        parents=[common],
        help="remember an installation and an API key",
        description="Check an API key and remember it with the address. Keys are made on the project's settings page.",
    )
    parser.add_argument("address", nargs="?", metavar="URL", help=f"the installation (default {DEFAULT_URL})")
    parser.add_argument("--gateway-url", default="", help="address of the gateway, without /v1")
    parser.set_defaults(command=login)


def login(arguments: argparse.Namespace, out: Output) -> None:
    """The key is asked for (or read from a pipe) when it is not given."""
    url = arguments.address or arguments.url or DEFAULT_URL
    key = arguments.key or _ask_key()
    with Client(url, key, arguments.project, arguments.gateway_url or None) as client:
        projects = [project["slug"] for project in client.pages("projects/")]
        if not projects:
            raise InvalidInput("This key sees no project.", code="no_project")
        project = arguments.project or projects[0]
        access = Access(client.access.url, key, project, client.access.gateway_url)
    path = store_access(access)
    result = {"url": access.url, "project": project, "stored": str(path)}
    out.result(result, f"Signed in to {access.url}, project {project}.")


def _ask_key() -> str:
    key = getpass.getpass("API key: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not key.strip():
        raise InvalidInput("No API key was given.", code="no_key")
    return key.strip()
