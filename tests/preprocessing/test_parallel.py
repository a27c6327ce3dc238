import pytest

from hounsfield.preprocessing.parallel import available_processors, thread_map, usable_threads


@pytest.mark.parametrize(("setting", "limit"), [("1", 1), ("1,4", 1), ("0", None), ("many", None)])
def test_omp_num_threads_lowers_the_number_of_threads_and_never_raises_it(
    monkeypatch, setting, limit
):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert usable_threads() == (limit or available_processors())
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    assert usable_threads() == available_processors()


def test_results_come_in_the_order_of_the_items():
    assert thread_map(lambda n: n * n, range(100)) == [n * n for n in range(100)]


def test_an_exception_in_a_thread_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        thread_map(lambda n: 1 // n, [1, 0])
