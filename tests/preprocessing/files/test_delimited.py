import pytest

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import read_rows, read_table

REQUIRED = {"series": ("seriesuid",), "x_mm": ()}
OPTIONAL = {"score": ("probability",)}


def written(folder, text):
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "series,x_mm,score\na,1.5,0.25\n",
        "\ufeffseries,x_mm,score\r\na,1.5,0.25\r\n",
        "Probability\tother\tSeriesUID\tX_mm\n 0.25\t?\t a\t1.5\n",
        "a,1.5,0.25\n",
    ],
    ids=["header", "byte order mark", "aliases, tabs, other columns", "by position"],
)
def test_columns_are_found_by_name_or_position(tmp_path, text):
    table = read_table(written(tmp_path, text), REQUIRED, OPTIONAL)
    assert table.columns["series"] == ["a"]
    assert table.finite_numbers("x_mm").tolist() == [1.5]
    assert table.numbers("score").tolist() == [0.25]


def test_rows_keep_their_line_in_the_file(tmp_path):
    text = 'series,x_mm\n\na,"1"\n"b\nc",2\n,\nd,x\n'
    table = read_table(written(tmp_path, text), REQUIRED)
    assert table.row_numbers == [3, 5, 7]
    with pytest.raises(
        UsageError, match=r"table\.csv, row 7, column x_mm: must be a number, got 'x'"
    ):
        table.numbers("x_mm")


def test_an_optional_column_that_is_absent_is_missing(tmp_path):
    assert (
        "score"
        not in read_table(written(tmp_path, "series,x_mm\na,1\n"), REQUIRED, OPTIONAL).columns
    )


@pytest.mark.parametrize(
    ("reading", "cell", "wanted"),
    [
        ("finite_numbers", "inf", "a finite number"),
        ("finite_numbers", "", "a number"),
        ("integers", "2.5", "an integer"),
        ("integers", "nan", "a finite number"),
    ],
)
def test_a_wrong_cell_is_refused_with_row_and_column(tmp_path, reading, cell, wanted):
    table = read_table(written(tmp_path, f"series,x_mm\na,1.0\nb,{cell}\n"), REQUIRED)
    with pytest.raises(UsageError, match=rf"row 3, column x_mm: must be {wanted}, got '{cell}'"):
        getattr(table, reading)("x_mm")


def test_integers_may_be_written_with_a_decimal_point(tmp_path):
    table = read_table(written(tmp_path, "series,x_mm\na,3.0\nb,4\n"), REQUIRED)
    assert table.integers("x_mm").tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("series,y\na,1\n", "must have a column x_mm"),
        ("series,x_mm\na\n", r"row 2: must have 2 columns \(series, x_mm\), got 1"),
        ('series,x_mm\n"a,1\n', "must be a comma or tab separated text"),
        (b"series,x_mm\n\xff\n", "must be a comma or tab separated text in UTF-8"),
    ],
)
def test_a_table_without_its_columns_or_syntax_is_refused(tmp_path, text, message):
    with pytest.raises(UsageError, match=rf"table\.csv.*{message}"):
        read_table(written(tmp_path, text), REQUIRED)


def test_a_header_can_be_required(tmp_path):
    for text in ("a,1\n", ""):
        with pytest.raises(UsageError, match="must have a header with the columns series, x_mm"):
            read_table(written(tmp_path, text), REQUIRED, positional=False)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.csv: must be a readable table, got: No such file"):
        read_rows(tmp_path / "gone.csv")
