"""`aifs backup` and `aifs restore`: for operators, on the machine (or in the container) where AIFS is installed.

They work on database and storage themselves, so they are commands of the server, run here in processes of their own.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from aifs.sdk.cli.output import Output
from aifs.sdk.errors import InvalidInput

BACKUP = """
Copies the database at one moment and every stored file. To a folder: the next backup there copies only what is new.
To a file that ends in .tar or .tar.zst: one backup. AIFS may go on working meanwhile, and need not run.
"""
RESTORE = """
Brings a backup back into an empty AIFS_HOME (or an empty DATABASE_URL); it never overwrites. Every file is verified,
and the database comes last. Then start AIFS: running work and deployments go on.
"""


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "backup", parents=[common], help="copy everything to a folder or a file (operators)", description=BACKUP
    )
    parser.add_argument("target", metavar="TARGET", help="a folder, or a new file that ends in .tar or .tar.zst")
    parser.add_argument(
        "--with-secrets", action="store_true", help="also SECRET_KEY and access.json, in clear: guard that copy well"
    )
    parser.add_argument(
        "--keep", type=int, default=0, metavar="N", help="keep N snapshots in the folder (default: all)"
    )
    parser.set_defaults(command=backup, local=True)
    parser = commands.add_parser(
        "restore", parents=[common], help="bring a backup back (operators)", description=RESTORE
    )
    parser.add_argument("source", metavar="SOURCE", help="the folder or file that `aifs backup` made")
    parser.add_argument("--snapshot", default="", metavar="TIME", help="one snapshot of a folder (default: the newest)")
    parser.set_defaults(command=restore, local=True)


def backup(arguments: argparse.Namespace, out: Output) -> int:
    options = ["--with-secrets"] if arguments.with_secrets else []
    options += ["--keep", str(arguments.keep)] if arguments.keep else []
    return on_server("backup", arguments.target, *options, json=out.json)


def restore(arguments: argparse.Namespace, out: Output) -> int:
    options = ["--snapshot", arguments.snapshot] if arguments.snapshot else []
    return on_server("restore", arguments.source, *options, json=out.json)


def on_server(command: str, path: str, *options: str, json: bool) -> int:
    """Run a command of the server that is installed beside this package. Raises InvalidInput where there is none."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "manage.py").exists() or importlib.util.find_spec("django") is None:
        raise InvalidInput(
            f"`aifs {command}` works on the machine where AIFS is installed; this one has only the client.",
            code="no_server",
        )
    line = [sys.executable, "-m", "aifs.embedded.offline", command, os.path.abspath(path), *options]
    status = subprocess.run([*line, *(["--json"] if json else [])], cwd=root, check=False).returncode
    return status if status in {0, 1, 2} else 1
