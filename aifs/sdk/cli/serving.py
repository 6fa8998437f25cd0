"""`aifs deploy`, `aifs chat` and `aifs evaluate`."""

import argparse
import sys
from typing import Any

from aifs.sdk.cli.arguments import follow, pairs, replicas, started, wait_option
from aifs.sdk.cli.output import Output
from aifs.sdk.client import Client
from aifs.sdk.deployments import summary
from aifs.sdk.evaluations import summary as evaluation_summary


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("deploy", parents=[common], help="put a model behind the gateway")
    parser.add_argument(
        "model", metavar="MODEL", help="NAME[:VERSION], an id, or http://host:port/v1 with --runtime openai"
    )
    parser.add_argument("--name", required=True, help="name at the gateway")
    parser.add_argument("--runtime", default="auto", metavar="R", help="auto, embedded, transformers, openai …")
    parser.add_argument("--replicas", type=replicas, default=(1, 1), metavar="A..B", help="how many instances")
    parser.add_argument("--cards", type=int, metavar="N", help="accelerators of one instance")
    parser.add_argument("--param", action="append", metavar="K=V", help="parameter of the runtime, may be repeated")
    wait_option(parser)
    parser.set_defaults(command=deploy)

    parser = commands.add_parser("chat", parents=[common], help="ask a deployment or a published prompt")
    parser.add_argument("name", metavar="NAME", help="a deployment, or prompt/NAME")
    parser.add_argument("text", metavar="TEXT", nargs="?", help="one question; without it a conversation begins")
    parser.add_argument("--param", action="append", metavar="K=V", help="temperature, max_tokens … may be repeated")
    parser.set_defaults(command=chat)

    parser = commands.add_parser("evaluate", parents=[common], help="measure a model on a benchmark")
    parser.add_argument("model", metavar="MODEL[:VERSION]")
    parser.add_argument(
        "--suite", required=True, metavar="S", help="mmlu, ceval, cmmlu, or the name of a benchmark dataset"
    )
    parser.add_argument("--data", metavar="DIR", help="folder of the benchmark's original files")
    parser.add_argument("--subjects", type=lambda text: text.split(","), metavar="A,B", help="only these subjects")
    parser.add_argument("--shots", type=int, metavar="N", help="examples shown before each question")
    parser.add_argument("--limit", type=int, metavar="N", help="questions of each subject")
    wait_option(parser)
    parser.set_defaults(command=evaluate)


def deploy(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    params = pairs(arguments.param)
    low, high = arguments.replicas
    if high > low:
        out.note(f"The number of instances does not follow the load yet: {low} are started, not up to {high}.")
    if arguments.cards is not None:
        params["resources"] = {"accelerators": arguments.cards}
    deployment = client.deployments.create(
        arguments.model,
        name=arguments.name,
        runtime=arguments.runtime,
        replicas=low,
        params=params,
    )
    if arguments.wait:
        deployment = client.deployments.wait(str(deployment["id"]))
    result = summary(deployment)
    out.result(result, f"{result['name']} is {result['state']}; ask it at {result['base_url']}")


def chat(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    options = pairs(arguments.param)
    if arguments.text is not None:
        answer = client.chat(arguments.name, arguments.text, told=None if out.json else _type, **options)
        if out.json:
            out.result(answer.summary())
        else:
            print(flush=True)
        return
    conversation: list[dict[str, Any]] = []
    while text := _read():
        conversation.append({"role": "user", "content": text})
        answer = client.chat(arguments.name, conversation, told=None if out.json else _type, **options)
        conversation.append({"role": "assistant", "content": answer.text})
        if out.json:
            out.result(answer.summary())
        else:
            print(flush=True)


def evaluate(client: Client, arguments: argparse.Namespace, out: Output) -> None:
    with out.uploading() as told:
        job = client.evaluations.start(
            arguments.model,
            suite=arguments.suite,
            data=arguments.data,
            subjects=arguments.subjects,
            shots=arguments.shots,
            limit=arguments.limit,
            told=told,
        )
    if not arguments.wait:
        return started(job, out)
    result = evaluation_summary(client.evaluations.of(follow(job, out)))
    lines = [f"mean: {result['mean']:.4f}", *(score_line(name, score) for name, score in result["scores"].items())]
    return out.result(result, "\n".join(lines))


def score_line(name: str, score: dict[str, Any]) -> str:
    """A single question has no standard error."""
    error = "" if score["acc_stderr"] is None else f" ± {score['acc_stderr']:.4f}"
    return f"{name}: {score['acc']:.4f}{error} (n={score['n']})"


def _type(piece: str) -> None:
    print(piece, end="", flush=True)


def _read() -> str:
    """The next question; empty at the end."""
    try:
        return input("> " if sys.stdin.isatty() else "")
    except EOFError:
        return ""
