"""lit's configuration: MLIR files whose comments say how to run them and what must come out."""

import sys
from pathlib import Path

import lit.formats

config.name = "c4ml-xdsl"  # noqa: F821
config.test_format = lit.formats.ShTest(execute_external=False)  # noqa: F821
config.suffixes = [".mlir"]  # noqa: F821
config.test_source_root = str(Path(__file__).parent)  # noqa: F821
config.environment["PATH"] = f"{Path(sys.executable).parent}:{config.environment.get('PATH', '')}"  # noqa: F821
config.environment["PYTHONPATH"] = str(Path(__file__).parents[2])  # noqa: F821
config.substitutions.append(("c4ml-opt", f"{sys.executable} -m c4ml_xdsl.tools.c4ml_opt"))  # noqa: F821
config.substitutions.append(("filecheck", f"{sys.executable} -m filecheck"))  # noqa: F821
