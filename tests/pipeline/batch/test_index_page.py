from hounsfield.pipeline.batch.csv_tables import WorklistRow
from hounsfield.pipeline.batch.index_page import MAX_INDEX_ROWS, write_index

CLASS_CELLS = ("normal", 0.1, 0.1, 0.1, 0.7, "review")


def row(**values):
    cells = ("1", "1.1", "p", "20000131", "analysed", "", 1, 0.9, 9.0, *CLASS_CELLS, "")
    return WorklistRow(*cells, values.get("report", "x/report.html"))


def test_the_index_stays_small_however_many_studies_there_are(tmp_path):
    path = write_index(tmp_path, [row()] * (MAX_INDEX_ROWS + 5), {("analysed", ""): 1005})
    text = path.read_text()
    assert text.count('href="x/report.html"') == MAX_INDEX_ROWS
    assert f"all {MAX_INDEX_ROWS + 5} are in worklist.csv" in text


def test_the_class_of_a_study_comes_last_and_is_called_a_research_demonstration(tmp_path):
    text = write_index(tmp_path, [row()], {("analysed", ""): 1}).read_text()
    assert text.index("<th>Notices</th>") < text.index("<th>Class (research demonstration)</th>")
