"""Some mutated files, the same ones in every run; `python -m tests.mutated_files.run` makes thousands."""

from tests.mutated_files.judge import MEGABYTES, judge
from tests.mutated_files.mutations import mutated

COUNT = 150
SECONDS = 20


def test_mutated_files_are_compiled_or_refused() -> None:
    compiled, seconds, megabytes = 0, 0.0, 0.0
    for number in range(COUNT):
        done, data = mutated(number)
        verdict = judge(data)
        assert not verdict.fault, f"seed {number}: {verdict.outcome}: {done}\n{verdict.text}"
        compiled += verdict.outcome == "compiled"
        seconds += verdict.seconds
        megabytes += verdict.megabytes
    assert 20 <= compiled <= COUNT - 50, "the mutations are too strong or too weak"
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


def test_a_seed_makes_the_same_file() -> None:
    assert [mutated(number) for number in range(20)] == [mutated(number) for number in range(20)]
    assert len({data for _, data in map(mutated, range(20))}) == 20
