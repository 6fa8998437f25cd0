"""`aifs datasets …`"""

import argparse
from typing import Any

from aifs.sdk.cli.arguments import follow, pairs, started, wait_option
from aifs.sdk.cli.output import Output
from aifs.sdk.client import Client
from aifs.sdk.datasets import summary

KINDS = ("auto", "general", "industry", "private", "instruction", "preference", "evaluation")


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("datasets", help="import, list, show, preview, export datasets")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)

    parser = actions.add_parser("import", parents=[common], help="upload a file or folder and import it")
    parser.add_argument("path", metavar="PATH")
    parser.add_argument("--name", required=True, help="name of the dataset; an existing one gets its next version")
    parser.add_argument("--kind", choices=KINDS, default="auto", help="what it is for (default: by the format)")
    parser.add_argument("--format", default="auto", metavar="F", help="format of the file (default: detected)")
    parser.add_argument("--encoding", default="auto", metavar="E", help="encoding of the file (default: detected)")
    wait_option(parser)
    parser.set_defaults(command=import_file)

    parser = actions.add_parser("list", parents=[common], help="list datasets")
    parser.set_defaults(command=list_all)

    parser = actions.add_parser("show", parents=[common], help="show one version")
    parser.add_argument("ref", metavar="NAME[:VERSION]")
    parser.set_defaults(command=show)

    parser = actions.add_parser("preview", parents=[common], help="print the first rows")
    parser.add_argument("ref", metavar="NAME[:VERSION]")
    parser.add_argument("--rows", type=int, default=10, metavar="N")
    parser.add_argument("--quarantine", action="store_true", help="the rows put aside, with their reasons")
    parser.set_defaults(command=preview)

    parser = actions.add_parser("clean", parents=[common], help="clean a version into the next one")
    parser.add_argument("ref", metavar="NAME[:VERSION]")
    parser.add_argument("--param", action="append", metavar="K=V", help="parameter of datasets.clean, may be repeated")
    wait_option(parser)
    parser.set_defaults(command=clean)

    parser = actions.add_parser("export", parents=[common], help="write a version to a file")
    parser.add_argument("ref", metavar="NAME[:VERSION]")
    parser.add_argument("path", metavar="PATH")
    parser.add_argument(
        "--format", default="", metavar="F", help="jsonl, parquet or csv (default: by the path's ending)"
    )
    parser.set_defaults(command=export)


def import_file(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    with out.uploading() as told:
        job = client.datasets.import_file(
            arguments.path,
            name=arguments.name,
            kind=arguments.kind,
            format=arguments.format,
            encoding=arguments.encoding,
            told=told,
        )
    if not arguments.wait:
        return started(job, out)
    result = summary(client.datasets.version_of(follow(job, out)))
    return out.result(result, _words(result))


def clean(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    job = client.datasets.clean(arguments.ref, **pairs(arguments.param))
    if not arguments.wait:
        return started(job, out)
    version = client.datasets.version_of(follow(job, out))
    result = {**summary(version), "dropped": version["dropped"]}
    return out.result(result, f"{_words(result)}; {result['dropped']} dropped")


def list_all(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    out.rows(
        client.datasets.list(),
        {"NAME": "name", "KIND": "kind", "VERSIONS": "version_count", "ROWS": "rows", "CREATED": "created_at"},
    )


def show(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    out.result(client.datasets.version(arguments.ref))


def preview(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    found = client.datasets.preview(arguments.ref, arguments.rows, quarantine=arguments.quarantine)
    rows = found["rows"]
    names = list(rows[0]) if rows else []
    out.rows(rows, {name.upper(): name for name in names})


def export(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    path = client.datasets.export(arguments.ref, arguments.path, arguments.format)
    out.result({"path": str(path), "bytes": path.stat().st_size}, f"{path}")


def _words(result: dict[str, Any]) -> str:
    return (
        f"{result['dataset']}:{result['version']} ({result['format']}): {result['rows']} rows kept of "
        f"{result['rows_in']}, {result['quarantined']} in quarantine"
    )
