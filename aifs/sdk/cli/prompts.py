"""`aifs prompts …`"""

import argparse
from typing import Any

from aifs.sdk.cli.arguments import pairs
from aifs.sdk.cli.output import Output
from aifs.sdk.client import Client
from aifs.sdk.prompts import read_file


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("prompts", help="create, push, test, publish, run prompts")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)

    parser = actions.add_parser("create", parents=[common], help="create an empty prompt")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--description", default="")
    parser.set_defaults(command=create)

    parser = actions.add_parser("list", parents=[common], help="list prompts")
    parser.set_defaults(command=list_all)

    parser = actions.add_parser("push", parents=[common], help="save a file as the next version")
    parser.add_argument("name", metavar="NAME", help="created when it does not exist")
    parser.add_argument(
        "file", metavar="FILE", help="YAML or JSON with messages, variables, deployment, settings; or plain text"
    )
    parser.add_argument("--deployment", default="", metavar="NAME", help="deployment that answers")
    parser.add_argument("--note", default="", help="what changed")
    parser.set_defaults(command=push)

    parser = actions.add_parser("test", parents=[common], help="run a version without publishing it")
    parser.add_argument("name", metavar="NAME[:VERSION]")
    parser.add_argument("--var", action="append", metavar="K=V", help="value of a variable, may be repeated")
    parser.add_argument("--deployment", default="", metavar="NAME", help="another deployment than the version's")
    parser.set_defaults(command=test)

    parser = actions.add_parser("publish", parents=[common], help="offer a version as model prompt/NAME")
    parser.add_argument("name", metavar="NAME[:VERSION]")
    parser.add_argument("--service", default="", metavar="NAME", help="name of the service (default: of the prompt)")
    parser.set_defaults(command=publish)

    parser = actions.add_parser("run", parents=[common], help="call a published prompt")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--var", action="append", metavar="K=V", help="value of a variable, may be repeated")
    parser.set_defaults(command=run)


def create(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    prompt = client.prompts.create(arguments.name, arguments.description)
    out.result({"prompt": prompt["id"], "name": prompt["name"]}, f"prompt {prompt['name']} created")


def list_all(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    out.rows(
        client.prompts.list(),
        {"NAME": "name", "NEWEST": "newest", "DESCRIPTION": "description", "UPDATED": "updated_at"},
    )


def push(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    content = read_file(arguments.file)
    if arguments.deployment:
        content["deployment"] = arguments.deployment
    version = client.prompts.push(arguments.name, content, note=arguments.note)
    result = {"prompt": arguments.name, "version": version["number"], "id": version["id"]}
    out.result(result, f"{arguments.name}:{version['number']}")


def test(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    answer = client.prompts.test(arguments.name, pairs(arguments.var, plain=True), deployment=arguments.deployment)
    out.result(answer, answer["text"])


def publish(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    service = client.prompts.publish(arguments.name, arguments.service)
    out.result(
        {
            "service": service["id"],
            "name": service["name"],
            "model": service["model"],
            "version": service["version_number"],
        },
        f"{service['model']} answers with version {service['version_number']}",
    )


def run(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    name = arguments.name.removeprefix("prompt/")
    answer = client.prompts.run(name, pairs(arguments.var, plain=True))
    text = answer["choices"][0]["message"]["content"] if "choices" in answer else answer.get("text", "")
    result = {
        "text": text,
        "usage": answer.get("usage") or {},
        "response_id": answer.get("id") or answer.get("response_id"),
    }
    out.result(result, text)
