"""`make check`: everything that can be said about the code without running it. `--write` repairs what can be.

Each check prints one line; a failed one is followed by what it found.
"""

import argparse
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import rules  # noqa: E402
from tests import servers  # noqa: E402

PYTHON = sys.executable
BIN = Path(PYTHON).parent
COMMANDS = {
    "lint": [str(BIN / "ruff"), "check", "--quiet", "--output-format=concise", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "--output-format=concise", "."],
    "types": [PYTHON, "-m", "mypy"],
    "imports": [str(BIN / "lint-imports"), "--no-logo"],
    "django": [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
    "messages": [PYTHON, "scripts/messages.py", "check"],
    "docs": [PYTHON, "manage.py", "build_docs", "--check"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the code.")
    parser.add_argument("only", nargs="*", help="names of checks")
    parser.add_argument("--write", action="store_true", help="bring generated documents up to date and stop")
    arguments = parser.parse_args()
    server = servers.acquire()
    environment = production(server)
    try:
        if arguments.write:
            return subprocess.run(
                [PYTHON, "manage.py", "build_docs"], cwd=ROOT, env=environment, check=False
            ).returncode
        failed = [name for name in chosen(arguments.only) if not passes(name, environment)]
    finally:
        servers.release()
    print(f"FAILED: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def chosen(only: list[str]) -> list[str]:
    names = [*COMMANDS, *rules.RULES]
    return [name for name in names if not only or name in only]


def production(database_url: str) -> dict[str, str]:
    """The environment of a production server, so that Django's deployment checks judge what an operator would run."""
    settings = {"SECRET_KEY": secrets.token_urlsafe(60), "DATABASE_URL": database_url, "AIFS_HTTPS": "true"}
    return os.environ | settings | {"DJANGO_SETTINGS_MODULE": "aifs.settings", "PYTHONPATH": str(ROOT)}


def passes(name: str, environment: dict[str, str]) -> bool:
    began = time.monotonic()
    if name in COMMANDS:
        done = subprocess.run(COMMANDS[name], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        found = [] if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines()
    else:
        found = rules.RULES[name]()
    print(f"{'failed' if found else 'ok':<7} {name:<12} {time.monotonic() - began:5.1f} s", flush=True)
    for line in found:
        print(f"        {line}")
    return not found


if __name__ == "__main__":
    sys.exit(main())
