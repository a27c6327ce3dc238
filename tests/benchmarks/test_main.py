"""`python -m benchmarks` finds what can be run."""

from benchmarks.__main__ import ONLY_BY_NAME, benchmark_names


def test_helper_packages_are_no_benchmarks_and_those_that_can_be_run_are():
    names = set(benchmark_names())
    assert {"cases", "missing_slices", "reading", *ONLY_BY_NAME} <= names
    assert not {"material", "__main__"} & names
