"""What can go wrong in one row of a run."""


class BenchmarkError(Exception):
    """A row that can't be measured; its message goes to the results."""


class NotDescribableError(BenchmarkError):
    """The network has something that the description for the peers doesn't hold."""
