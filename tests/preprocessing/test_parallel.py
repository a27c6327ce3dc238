import pytest

from hounsfield.preprocessing.parallel import available_processors, thread_map, usable_threads


@pytest.mark.parametrize(("told", "most"), [("1", 1), ("1,4", 1), ("0", None), ("many", None)])
def test_threads_are_as_few_as_the_environment_says_and_never_more_than_processors(
    monkeypatch, told, most
):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert usable_threads() == (most or available_processors())
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    assert usable_threads() == available_processors()


def test_answers_come_in_the_order_of_what_was_given():
    assert thread_map(lambda n: n * n, range(100)) == [n * n for n in range(100)]


def test_a_failure_is_raised_to_who_asked():
    with pytest.raises(ZeroDivisionError):
        thread_map(lambda n: 1 // n, [1, 0])
