"""
Measures this compiler, each of its strategies, da4ml and Alkaid on the same cases through one flow.

`python -m benchmarks run` is the whole of it; docs/benchmarks.md tells what is compared and how to read it.
"""
