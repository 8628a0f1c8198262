"""A benchmark whose cases have names, as the command line runs it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.results import Results, Row
from benchmarks.table import Table


class NamedBenchmark:
    """The cases by name, how one is measured by the flows of a list, and the tables of all results."""

    def __init__(
        self,
        cases: Mapping[str, Any],
        measure: Callable[[Any, str], Row],
        tables: Callable[[Results], Sequence[Table]],
    ):
        self.cases, self._measure, self.tables = cases, measure, tables

    def measure(self, name: str, flows: str) -> Row:
        """The entry of the results for one case; raises KeyError for a name that is none."""
        return self._measure(self.cases[name], flows)
