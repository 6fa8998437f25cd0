"""`python -m workers.accelerators FILE`: read a saved tool output and print its devices as a JSON array.

Without FILE, the devices of this machine.
"""

import argparse
import json
import sys
from pathlib import Path

from workers.accelerators.base import detect, read
from workers.errors import AifsError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.accelerators", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="saved output of a vendor's tool")
    arguments = parser.parse_args()
    try:
        devices = read(arguments.file.read_text(errors="replace")) if arguments.file else detect()
    except (AifsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps([device.as_json() for device in devices], ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
