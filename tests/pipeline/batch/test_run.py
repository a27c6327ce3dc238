"""What becomes of each study of a run, whose analysis does what its description says."""

import pytest

from hounsfield.pipeline.batch.ledger import Ledger
from hounsfield.pipeline.errors import ExitCode, OutputError
from tests.pipeline.scripted import fail_without_models, scripted_config, write_study


def test_every_study_gets_a_report_a_row_in_each_table_and_a_place_on_the_index(place):
    place.write("1.1")
    place.write("1.2")
    summary = place.run()
    assert summary.exit_code is ExitCode.DONE
    assert summary.findings == 2
    for uid in ("1.1.1", "1.2.1"):
        assert place.report(uid).is_file()
        for table in ("worklist.csv", "findings.csv", "luna16_predictions.csv", "index.html"):
            assert uid in (place.out / table).read_text()


def test_a_broken_study_never_stops_the_others(place):
    broken = {
        "crash": "worker_crashed",
        "hang": "timed_out",
        "memory": "out_of_memory",
        "defect": "internal",
        "no lungs": "lungs_not_found",
    }
    for number, happens in enumerate(broken):
        place.write(f"1.{2 * number + 1}", happens)
        place.write(f"1.{2 * number + 2}")
    summary = place.run(config=scripted_config(place.folder, timeout_s=4))
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert dict(summary.verdicts) == {"failed": 5, "analysed": 5}
    rows = place.rows()
    for number, reason in enumerate(broken.values()):
        assert rows[f"1.{2 * number + 1}.1"].reason == reason
        assert rows[f"1.{2 * number + 1}.1"].message
        assert rows[f"1.{2 * number + 2}.1"].verdict == "analysed"


def test_two_workers_lose_only_the_series_that_ended_one_of_them(place):
    for number in range(6):
        place.write(f"1.{number}", "crash" if number == 2 else "analysed")
    summary = place.run(config=scripted_config(place.folder, workers=2))
    assert dict(summary.verdicts) == {"failed": 1, "analysed": 5}
    assert place.rows()["1.2.1"].reason == "worker_crashed"
    assert "SIGKILL" in place.rows()["1.2.1"].message


@pytest.mark.parametrize(
    ("happens", "reason", "calls"),
    [
        ("crash beside another", "", 2),
        ("crash", "worker_crashed", 2),
        ("no lungs", "lungs_not_found", 1),
    ],
)
def test_a_study_that_fails_beside_an_earlier_one_is_tried_by_itself(place, happens, reason, calls):
    write_study(place.input / "1", uid="1.1", patient="A", date="20240101")
    write_study(place.input / "2", uid="1.2", happens=happens, patient="A", date="20240701")
    place.run()
    assert place.rows()["1.2.1"].reason == reason
    assert place.calls().count("1.2.1") == calls
    assert place.rows()["1.1.1"].verdict == "analysed"


def test_the_next_best_series_is_analysed_where_the_best_fails(place):
    place.write("1.1", "crash", series=1)
    place.write("1.1", "no lungs", series=2)
    place.write("1.1", series=3)
    place.write("1.1", series=4)
    place.run()
    assert place.calls() == ["1.1.1", "1.1.2", "1.1.3"]
    assert [row.reason for row in place.rows().values()] == [
        "worker_crashed",
        "lungs_not_found",
        "",
        "better_series_chosen",
    ]


def test_a_series_that_is_no_chest_is_skipped_and_not_failed(place):
    place.write("1.1", "not chest")
    assert place.run().exit_code is ExitCode.NOTHING_TO_ANALYSE
    assert place.rows()["1.1.1"].verdict == "skipped"


def test_models_that_cannot_be_loaded_end_the_run_with_their_own_sentence(place):
    place.write("1.1")
    with pytest.raises(OutputError, match="no weights for"):
        place.run(make_analyser=fail_without_models)


def test_every_file_and_series_that_is_left_out_has_a_row(place):
    place.write("1.1")
    (place.input / "notes.txt").write_text("Not a series.")
    place.run()
    with Ledger(place.out, read_only=True) as ledger:
        (row,) = [row for row in ledger.rows() if row.reason == "not_an_image"]
    assert row.path == str(place.input / "notes.txt")


def test_an_input_without_any_series_has_nothing_to_analyse(place):
    (place.input / "notes.txt").write_text("Not a series.")
    assert place.run().exit_code is ExitCode.NOTHING_TO_ANALYSE
