"""The folder for what is built once and kept: simulators' libraries, and the benchmarks' peers."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """`$C4ML_CACHE`, else `c4ml-xdsl` in the user's cache folder; nothing is created."""
    given = os.environ.get("C4ML_CACHE")
    platform = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    base = os.environ.get("XDG_CACHE_HOME") or platform or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "c4ml-xdsl"
