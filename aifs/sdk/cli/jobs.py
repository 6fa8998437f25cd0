"""`aifs job start`, `aifs jobs …` and `aifs lineage`."""

import argparse
from typing import Any

from aifs.sdk.cli.arguments import follow, pairs, started, wait_option
from aifs.sdk.cli.output import Output
from aifs.sdk.client import Client
from aifs.sdk.errors import JobFailed


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    add_start(commands, common)
    add_deeds(commands, common)
    parser = commands.add_parser("lineage", parents=[common], help="where something came from and what was made of it")
    parser.add_argument("type", metavar="TYPE", help="dataset, model, prompt, or an artefact type")
    parser.add_argument("id", metavar="ID", help="an id, or NAME[:VERSION]")
    parser.add_argument("--direction", choices=("up", "down", "both"), default="both")
    parser.set_defaults(command=lineage)


def add_start(commands: Any, common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("job", help="start a job of any kind")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    parser = actions.add_parser("start", parents=[common], help="start a job")
    parser.add_argument("kind", metavar="KIND", help="such as lmt.sft; `aifs jobs kinds` lists them")
    parser.add_argument(
        "--param", action="append", metavar="K=V", help="parameter, may be repeated; K=@PATH uploads a file or folder"
    )
    parser.add_argument("--name", default="", help="name shown in lists")
    parser.add_argument("--resource", action="append", metavar="K=V", help="cpus, memory_mib, accelerators, vendor")
    parser.add_argument("--priority", type=int, default=0, metavar="N", help="higher runs first")
    parser.add_argument("--seed", type=int, metavar="N")
    wait_option(parser)
    parser.set_defaults(command=start)


def add_deeds(commands: Any, common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("jobs", help="list and show jobs, print their logs, cancel, retry or resume them")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    parser = actions.add_parser("list", parents=[common], help="newest first")
    parser.add_argument("--state", help="only jobs in this state")
    parser.add_argument("--kind", help="only jobs of this kind")
    parser.add_argument("--limit", type=int, default=50, metavar="N")
    parser.set_defaults(command=list_all)
    parser = actions.add_parser("kinds", parents=[common], help="what can be started")
    parser.set_defaults(command=kinds)
    parser = actions.add_parser("show", parents=[common], help="show one job")
    parser.add_argument("id", metavar="ID")
    parser.set_defaults(command=show)
    parser = actions.add_parser("logs", parents=[common], help="print the log of a job")
    parser.add_argument("id", metavar="ID")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    parser.set_defaults(command=logs)
    for action, words in (
        ("cancel", "ask a job to stop"),
        ("retry", "the same job once more, from its start"),
        ("resume", "the same job, from its newest valid checkpoint"),
    ):
        parser = actions.add_parser(action, parents=[common], help=words)
        parser.add_argument("id", metavar="ID")
        parser.set_defaults(command=act, action=action)

    parser = actions.add_parser(
        "reproduce", parents=[common], help="run a job again on the same inputs, and say whether the same came out"
    )
    parser.add_argument("id", metavar="ID")
    wait_option(parser)
    parser.set_defaults(command=reproduce)


def start(client: Client, arguments: argparse.Namespace, out: Output) -> int | None:
    params = pairs(arguments.param)
    for name, value in params.items():
        if isinstance(value, str) and value.startswith("@"):
            with out.uploading() as told:
                params[name] = client.uploads.send(value[1:], told=told)
    job = client.jobs.start(
        arguments.kind,
        params,
        name=arguments.name,
        resources=pairs(arguments.resource) or None,
        priority=arguments.priority,
        seed=arguments.seed,
    )
    if not arguments.wait:
        started(job, out)
        return None
    follow(job, out, check=False)
    out.result(job.summary())
    if job.state == "succeeded":
        return None
    raise JobFailed(job.reason or job.ending, job=job.data, code=f"job_{job.state}")


def list_all(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    jobs = client.jobs.list(state=arguments.state, kind=arguments.kind, limit=arguments.limit)
    out.rows(
        [job.data for job in jobs],
        {"ID": "id", "KIND": "kind", "NAME": name, "STATE": "state", "CREATED": "created_at"},
    )


def name(row: dict[str, Any]) -> str:
    """What it was called, else what it makes is called."""
    return str(row["name"] or row["params"].get("name") or "")


def kinds(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    out.rows(client.jobs.kinds(), {"KIND": "kind", "LABEL": "label"})


def show(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    job = client.jobs.get(arguments.id)
    told = job.data if out.json else {**job.data, "reproduction": verdict(job.data.get("reproduction"))}
    out.result(told)


def verdict(found: dict[str, Any] | None) -> str | None:
    """What came of a reproduction, in words: the verdict, where the two part, and what they ran on that differs."""
    if not found:
        return None
    lines = [f"{found['label']}. {found['message']}"]
    if found.get("where"):
        lines.append(f"First difference: {found['where']['message']}")
    for row in found.get("environment") or []:
        lines.append(f"{row['name']}: {row['original'] or '—'} → {row['reproduction'] or '—'}")
    return "\n".join(lines)


def reproduce(client: Client, arguments: argparse.Namespace, out: Output) -> int | None:
    job = client.jobs.get(arguments.id).reproduce()
    if not arguments.wait:
        started(job, out)
        return None
    follow(job, out)
    job.refresh()
    found = job.data["reproduction"]
    out.result({"job": job.id, "verdict": job.verdict, "reproduction": found}, verdict(found))
    return 0 if job.verdict in ("bit_equal", "within_noise") else 1


def logs(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    lines = []
    for line in client.jobs.get(arguments.id).logs(follow=arguments.follow):
        if out.json:
            lines.append(line)
        else:
            print(line, flush=True)
    if out.json:
        out.result({"job": arguments.id, "lines": lines})


def act(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    job = getattr(client.jobs.get(arguments.id), arguments.action)()
    stopping = arguments.action == "cancel" and not job.ended
    out.result(
        {"job": job.id, "state": job.state},
        f"job {job.id} is asked to stop" if stopping else f"job {job.id} {job.state}",
    )


def lineage(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    graph = client.lineage.get(arguments.type, arguments.id, arguments.direction)
    names = {node["id"]: f"{node['type']} {node['name']}" for node in graph["nodes"]}
    lines = [f"{names[edge['parent']]} → {names[edge['child']]}" for edge in graph["edges"]]
    out.result(graph, "\n".join(lines) or "\n".join(names.values()))
