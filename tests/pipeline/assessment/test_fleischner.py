import pytest

from hounsfield.pipeline.assessment.guidelines import load_guideline
from tests.pipeline.assessment.nodule_facts import nodule, study

FLEISCHNER = load_guideline("fleischner_2017")
NONE, OPTIONAL = "No routine follow-up.", "Optional CT at 12 months."


@pytest.mark.parametrize(
    ("texture", "mean_mm", "solid_mm", "single", "multiple"),
    [
        ("solid", 5.4, None, {"low": NONE, "high": OPTIONAL}, {"low": NONE, "high": OPTIONAL}),
        *(
            (
                "solid",
                mean_mm,
                None,
                {
                    "low": "CT at 6 to 12 months, then consider CT at 18 to 24 months.",
                    "high": "CT at 6 to 12 months, then at 18 to 24 months.",
                },
                {
                    "low": "CT at 3 to 6 months, then consider CT at 18 to 24 months.",
                    "high": "CT at 3 to 6 months, then at 18 to 24 months.",
                },
            )
            for mean_mm in (5.5, 8.0, 8.4)
        ),
        (
            "solid",
            8.5,
            None,
            "Consider CT at 3 months, PET/CT or tissue sampling.",
            {
                "low": "CT at 3 to 6 months, then consider CT at 18 to 24 months.",
                "high": "CT at 3 to 6 months, then at 18 to 24 months.",
            },
        ),
        *(
            (
                texture,
                5.4,
                solid_mm,
                NONE,
                "CT at 3 to 6 months; if stable, consider CT at 2 and 4 years.",
            )
            for texture, solid_mm in (("non_solid", None), ("part_solid", 3.0))
        ),
        (
            "non_solid",
            5.5,
            None,
            "CT at 6 to 12 months to see whether it persists, then every 2 years until 5 years.",
            "CT at 3 to 6 months; then as the most suspicious nodule asks for.",
        ),
        (
            "part_solid",
            5.5,
            5.4,
            (
                "CT at 3 to 6 months to see whether it persists; if unchanged and the solid part "
                "stays below 6 mm, CT every year for 5 years."
            ),
            "CT at 3 to 6 months; then as the most suspicious nodule asks for.",
        ),
        (
            "part_solid",
            12.0,
            5.5,
            "CT at 3 to 6 months to see whether it persists; if it does, it is highly suspicious.",
            "CT at 3 to 6 months; then as the most suspicious nodule asks for.",
        ),
        ("part_solid", 12.0, 8.5, "PET/CT, biopsy or resection.", "PET/CT, biopsy or resection."),
    ],
)
def test_fleischner_follow_up_by_size_number_and_risk(texture, mean_mm, solid_mm, single, multiple):
    finding = nodule(texture, mean_mm, solid_mm)
    group = "solid" if texture == "solid" else "subsolid"
    for findings, expected in (((finding,), single), ((finding, finding), multiple)):
        if isinstance(expected, str):
            assert study(FLEISCHNER, *findings).follow_up == (f"{group}: {expected}",)
            continue
        texts = {risk: f"{group}, {risk} risk: {text}" for risk, text in expected.items()}
        assert study(FLEISCHNER, *findings).follow_up == (texts["low"], texts["high"])
        assert study(FLEISCHNER, *findings, risk="high").follow_up == (texts["high"],)


def test_fleischner_counts_solid_and_subsolid_nodules_apart_and_calcified_ones_not():
    proposed = study(
        FLEISCHNER, nodule("solid", 9.0), nodule("non_solid", 4.0), nodule("calcified", 9.0)
    )
    assert proposed.category == "solid over 8 mm"
    assert proposed.follow_up == (
        "solid: Consider CT at 3 months, PET/CT or tissue sampling.",
        "subsolid: No routine follow-up.",
        "calcified: No follow-up where the calcification is benign.",
    )
