import pytest

from hounsfield.pipeline.assessment.clinical_table import (
    ClinicalFacts,
    read_clinical,
    unknown_keys,
    unknown_keys_message,
)
from hounsfield.preprocessing.errors import UsageError


@pytest.fixture
def table(tmp_path):
    def make(text, encoding="utf-8"):
        path = tmp_path / "clinical.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return make


def test_columns_are_read_in_any_order_and_spelling(table):
    path = table(
        "Sex,patient_id,AGE,smoker,emphysema,family_history,previous_cancer\n"
        "F,a,68,Yes,0,true,no\n"
        "male, b ,70.5,1,no,FALSE,\n"
    )
    facts = read_clinical(path).facts_of(patient_id="a", study_uid="1.2")
    assert facts == ClinicalFacts(68, "female", True, False, True, False)
    facts = read_clinical(path).facts_of(patient_id="b", study_uid="")
    assert facts == ClinicalFacts(70.5, "male", False, False, True, None)


def test_what_decides_for_whom_a_guideline_is_can_be_stated(table):
    path = table(
        "patient_id,known_cancer,immunosuppressed,indication\na,no,Yes,Screening\n"
        "b,1,0,incidental\nc,,,\n"
    )
    known = [read_clinical(path).facts_of(patient_id=name, study_uid="") for name in "abc"]
    assert [(f.known_cancer, f.immunosuppressed, f.indication) for f in known] == [
        (False, True, "screening"),
        (True, False, "incidental"),
        (None, None, None),
    ]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_tabs_and_a_byte_order_mark_are_accepted(table, bom):
    path = table(f"{bom}patient_id\tage\r\na\t68\r\n\r\n")
    assert read_clinical(path).facts_of(patient_id="a", study_uid="1").age_years == 68


def test_a_patient_missing_from_the_table_is_unknown(table):
    clinical = read_clinical(table("patient_id,age\na,68\n"))
    assert clinical.facts_of(patient_id="b", study_uid="1") == ClinicalFacts()
    assert clinical.facts_of(patient_id="", study_uid="") == ClinicalFacts()


def test_the_row_of_the_study_has_priority_over_the_row_of_the_patient(table):
    path = table("patient_id,study_uid,age,smoker\na,,60,yes\na,1.2,68,\n")
    clinical = read_clinical(path)
    assert clinical.facts_of(patient_id="a", study_uid="1.2") == ClinicalFacts(
        age_years=68, smoker=True
    )
    assert clinical.facts_of(patient_id="a", study_uid="9").age_years == 60


def test_a_study_row_with_another_patient_is_refused(table):
    clinical = read_clinical(table("patient_id,study_uid,age\nP-771,1.2,68\n"))
    with pytest.raises(UsageError, match="row 2, column patient_id: must be the patient") as error:
        clinical.facts_of(patient_id="P-772", study_uid="1.2")
    assert "P-77" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a header .* is empty"),
        ("\n \n", "must have a header .* is empty"),
        ("patient_id,age\n", "a row .* below its header, but has none"),
        ("age,sex\n68,f\n", "row 1: must be a header with a column patient_id or study_uid"),
        ("SECRET,68\n", "row 1: must be a header with a column patient_id or study_uid"),
        ("patient_id;age\nSECRET;68\n", "comma or tab separated, but has neither"),
        ("patient_id,agee\nSECRET,68\n", "row 1, column 'agee': must be one of patient_id, "),
        ("patient_id,age,\nSECRET,68,\n", "row 1, column '': must be one of"),
        ("patient_id,age,Age\nSECRET,1,1\n", "row 1, column age: .* once, but appears twice"),
        ("patient_id,age\n,68\n", "row 2, column patient_id: must name .*, but is empty"),
        ("patient_id,study_uid,age\n,,68\n", "row 2, column patient_id or study_uid: must name"),
        ("patient_id,age\nSECRET\n", "row 2: must have 2 cells like the header, got 1"),
        ("patient_id,age\nSECRET,68,f\n", "row 2: must have 2 cells like the header, got 3"),
        ("patient_id,age\n\nSECRET,-1\n", "row 3, column age: .* in years .* but is below 0"),
        (
            "patient_id,age\nSECRET,120.5\n",
            "row 2, column age: .* but is above 120; read as months",
        ),
        ("patient_id,age\nSECRET,1958\n", "age: .* but looks like a year of birth"),
        ("patient_id,age\nSECRET,816\n", "read as months it would be 68 years: is the unit wrong"),
        ("patient_id,age\nSECRET,24820\n", "row 2, column age: .* but is above 120"),
        ("patient_id,age\nSECRET,068Y\n", "row 2, column age: .* a plain number without unit"),
        ("patient_id,age\nSECRET,nan\n", "row 2, column age: .* but is not such a number"),
        ("patient_id,age\na,SECRET\n", "row 2, column age: .* but is not such a number"),
        ("patient_id,sex\na,SECRET\n", "row 2, column sex: must be female, male, f, m or empty"),
        ("patient_id,smoker\na,SECRET\n", "row 2, column smoker: must be yes, no, 1, 0, true"),
        ("patient_id,emphysema\na,2\n", "row 2, column emphysema: must be yes, no"),
        ("patient_id,family_history\na,maybe\n", "row 2, column family_history: must be yes"),
        (
            "patient_id,indication\na,SECRET\n",
            "row 2, column indication: must be screening, incidental or empty, but is",
        ),
        ("patient_id,previous_cancer\na,?\n", "row 2, column previous_cancer: must be yes"),
        ('patient_id,age\n"SECRET,68\n', "must be a comma or tab separated text in UTF-8"),
        (
            "patient_id,age\nSECRET,68\nb,1\nSECRET,69\n",
            "row 4, column patient_id: must be unique, but row 2 has the same patient_id with",
        ),
        (
            "patient_id,study_uid,age\nSECRET,1.2,68\nb,1.2,68\n",
            "row 3, column study_uid: must be unique, but row 2 has the same study_uid with",
        ),
    ],
)
def test_errors_name_file_row_and_column_but_no_identifier(table, text, message):
    with pytest.raises(UsageError, match=message) as error:
        read_clinical(table(text))
    assert "clinical.csv" in str(error.value)
    assert "secret" not in str(error.value).lower()


def test_a_missing_file_or_another_encoding_is_refused(table, tmp_path):
    with pytest.raises(UsageError, match="text in UTF-8, got"):
        read_clinical(table("patient_id,age\nMüller,68\n", "latin-1"))
    with pytest.raises(UsageError, match="must be a readable table, got: No such file"):
        read_clinical(tmp_path / "nothing.csv")


def test_ages_0_and_120_are_accepted(table):
    clinical = read_clinical(table("patient_id,age\na,0\nb,120\n"))
    ages = [clinical.facts_of(patient_id=name, study_uid="").age_years for name in "ab"]
    assert ages == [0, 120]


def test_an_identical_repeated_row_is_accepted(table):
    clinical = read_clinical(table("patient_id,age\na,68\na,68.0\n"))
    assert clinical.facts_of(patient_id="a", study_uid="").age_years == 68


def test_unknown_patients_and_studies_are_reported_by_row_and_column(table):
    clinical = read_clinical(
        table("patient_id,study_uid,age\na,,60\nsecret,,61\na,1.2,62\na,6.66,63\n")
    )
    unknown = unknown_keys(clinical, {"a"}, {"1.2"})
    assert [(key.row, key.column) for key in unknown] == [(3, "patient_id"), (5, "study_uid")]
    message = unknown_keys_message(clinical, unknown)
    assert "clinical.csv, row 3 column patient_id, row 5 column study_uid: must name" in message
    assert "secret" not in message
    assert "6.66" not in message


def test_the_repr_shows_no_identifiers(table):
    clinical = read_clinical(table("patient_id,age\nsecret,68\n"))
    assert "secret" not in repr(clinical) + repr(clinical.by_patient["secret"])
