"""lit's configuration: `lit -v filecheck`, in an environment that has this package, c4ml-xdsl, lit and filecheck."""
# ruff: noqa: F821

import os
import sys

import lit.formats

config.name = "own-strategy"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
config.substitutions += [
    ("c4ml-opt", f"{sys.executable} -m c4ml_xdsl.tools.c4ml_opt"),
    ("filecheck %s", f"{sys.executable} -m filecheck %s"),
]
