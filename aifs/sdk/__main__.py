"""`python -m aifs.sdk` is the `aifs` command."""

import sys

from aifs.sdk.cli import main

if __name__ == "__main__":
    sys.exit(main())
