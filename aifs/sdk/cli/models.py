"""`aifs models …`"""

import argparse
from typing import Any

from aifs.sdk.cli.arguments import follow, started, wait_option
from aifs.sdk.cli.output import Output
from aifs.sdk.client import Client
from aifs.sdk.models import summary


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("models", help="import, list, show, export models")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)

    parser = actions.add_parser(
        "import", parents=[common], help="upload a model folder, archive or .gguf and import it"
    )
    parser.add_argument("path", metavar="PATH")
    parser.add_argument("--name", required=True, help="name of the model; an existing one gets its next version")
    parser.add_argument("--licence", default="", metavar="L", help="licence of the weights, such as Apache-2.0")
    wait_option(parser)
    parser.set_defaults(command=import_file)

    parser = actions.add_parser("list", parents=[common], help="list models")
    parser.set_defaults(command=list_all)

    parser = actions.add_parser("show", parents=[common], help="show one version")
    parser.add_argument("ref", metavar="NAME[:VERSION]")
    parser.set_defaults(command=show)

    parser = actions.add_parser("export", parents=[common], help="download the files of a version")
    parser.add_argument("ref", metavar="NAME[:VERSION]")
    parser.add_argument("path", metavar="FOLDER")
    parser.set_defaults(command=export)


def import_file(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    with out.uploading() as told:
        job = client.models.import_file(arguments.path, name=arguments.name, licence=arguments.licence, told=told)
    if not arguments.wait:
        return started(job, out)
    result = summary(client.models.version_of(follow(job, out)))
    words = f"{result['model']}:{result['version']}: {result['family']}, {result['parameters']:,} parameters"
    return out.result(result, words)


def list_all(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    out.rows(
        client.models.list(),
        {"NAME": "name", "LICENCE": "licence", "VERSIONS": "version_count", "CREATED": "created_at"},
    )


def show(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    out.result(client.models.version(arguments.ref))


def export(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    folder = client.models.export(arguments.ref, arguments.path)
    out.result({"path": str(folder)}, str(folder))
