"""The folder for what is built once and kept: simulators' libraries, and the benchmarks' peers."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$C4ML_CACHE`, else `c4ml-xdsl` in the user's cache folder; nothing is created."""
    given = os.environ.get("C4ML_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "c4ml-xdsl"
