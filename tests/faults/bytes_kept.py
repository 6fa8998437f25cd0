"""Whether bytes in a local storage are those that were recorded, worked out anew rather than by the storage itself."""

import hashlib
import json
from pathlib import Path
from typing import Any


def object_path(storage: Path, sha256: str) -> Path:
    return storage / "objects" / sha256[:2] / sha256


def damage(path: Path, entry: dict[str, Any]) -> str:
    """What is wrong with a stored file; empty when nothing is."""
    try:
        content = path.read_bytes()
    except OSError:
        return "is not in storage"
    if len(content) != entry["size"]:
        return f"has {len(content)} bytes instead of {entry['size']}"
    return "" if hashlib.sha256(content).hexdigest() == entry["sha256"] else "has other content"


def manifest_sha256(manifest: dict[str, Any]) -> str:
    rows = [[path, entry["sha256"], entry["size"]] for path, entry in sorted(manifest.items())]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
