"""`inspect` lists every series and file with what a run would do with it."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.pipeline.cli.inspect_output import print_table
from hounsfield.pipeline.inspection import as_json, inspect, notices_from_headers
from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason, Verdict
from hounsfield.preprocessing.errors import SeriesError
from tests.preprocessing.volumes import make_volume

THICK = Notice(NoticeCode.THICK_SLICES, "Slices are 5 mm thick.", {"thickness_mm": 5.0})


@pytest.fixture
def study(tmp_path):
    """One study of a thick and a thin series, a scout, and a text file."""
    thick = ct_datasets(make_volume(uid="1.2.3", spacing_mm=(7, 8, 5)))
    thin = ct_datasets(make_volume(uid="1.2.4", spacing_mm=(7, 8, 2.5), shape_zyx=(40, 24, 28)))
    scout = ct_datasets(make_volume(uid="1.2.5", shape_zyx=(1, 24, 28)))
    for number, datasets in enumerate([thick, thin, scout], start=1):
        for dataset in datasets:
            dataset.StudyInstanceUID = "1.2.3"
            dataset.SeriesInstanceUID = f"1.2.3.{number}"
            dataset.SeriesNumber = number
        save_series(datasets, tmp_path / "study" / str(number))
    scout_path = tmp_path / "study" / "3" / "00001.dcm"
    scout[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout[0].save_as(scout_path, enforce_file_format=True)
    (tmp_path / "study" / "notes.txt").write_text("notes")
    return tmp_path / "study"


def inspect_as_chests(folder):
    """Inspect a folder as if every series in it had lungs and thick slices."""
    return inspect([folder], notices_of=lambda series: (*series.notices, THICK))


def by_name(rows, root):
    return {row.path.removeprefix(f"{root}/"): row for row in rows}


def test_each_series_gets_the_verdict_of_a_run(study):
    rows = by_name(inspect_as_chests(study), study)
    assert {name: (row.verdict, row.reason, row.chosen) for name, row in rows.items()} == {
        "2": (Verdict.ANALYSED_WITH_NOTICES, None, True),
        "1": (Verdict.SKIPPED, Reason.BETTER_SERIES_CHOSEN, False),
        "3/00001.dcm": (Verdict.SKIPPED, Reason.LOCALIZER, False),
        "notes.txt": (Verdict.SKIPPED, Reason.NOT_AN_IMAGE, False),
    }


def test_the_next_series_is_chosen_where_the_best_fails(study):
    def fail_thin(series):
        if series.shape_zyx[0] == 40:
            raise SeriesError(Reason.LUNGS_NOT_FOUND, "no lungs")
        return ()

    rows = by_name(inspect([study], notices_of=fail_thin), study)
    assert (rows["2"].reason, rows["2"].chosen) == (Reason.LUNGS_NOT_FOUND, False)
    assert (rows["1"].reason, rows["1"].chosen) == (None, True)


def test_noise_is_refused_by_its_pixels_and_accepted_by_its_headers(study):
    by_pixels = by_name(inspect([study]), study)
    assert by_pixels["2"].reason is Reason.NOT_CHEST
    by_headers = by_name(inspect([study], notices_of=notices_from_headers), study)
    assert by_headers["2"].chosen
    assert by_headers["2"].verdict in {Verdict.ANALYSED, Verdict.ANALYSED_WITH_NOTICES}


def test_the_json_has_the_promised_keys(study):
    rows = json.loads(as_json(inspect_as_chests(study)))
    chosen = next(row for row in rows if row["chosen"])
    assert chosen["path"] == str(study / "2")
    assert (chosen["study_uid"], chosen["series_uid"]) == ("1.2.3", "1.2.3.2")
    assert (chosen["verdict"], chosen["reason"]) == ("analysed_with_notices", None)
    assert chosen["shape_zyx"] == [40, 24, 28]
    np.testing.assert_allclose(chosen["spacing_mm"], [7, 8, 2.5])
    assert chosen["orientation"] == "axial"
    assert THICK.as_json() in chosen["notices"]
    file = next(row for row in rows if row["path"].endswith("notes.txt"))
    assert (file["verdict"], file["reason"]) == ("skipped", "not_an_image")
    assert file["series_uid"] is None


def test_the_table_fits_100_columns_and_groups_similar_rows(study):
    for number in range(9):
        (study / f"more-{number}.txt").write_text("more")
    text = io.StringIO()
    print_table(inspect_as_chests(study), Console(file=text, width=100))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "10 of them" in text.getvalue()
    assert "thick_slices: Slices are 5 mm thick." in text.getvalue()
    assert lines[-1] == "1 series would be analysed, 12 series or files not."


def test_an_empty_folder_is_no_error(tmp_path):
    text = io.StringIO()
    print_table(inspect([tmp_path]), Console(file=text, width=100))
    assert text.getvalue().endswith("0 series would be analysed, 0 series or files not.\n")
