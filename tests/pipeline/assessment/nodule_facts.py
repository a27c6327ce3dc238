"""Short constructors of nodules and studies for the tests of guidelines."""

from hounsfield.pipeline.assessment.guidelines import NoduleFacts, classify_study


def nodule(texture, mean_diameter_mm, solid_part_mm=None, *, margin="lobulated", **facts):
    facts = {"touches_pleura": False} | facts
    return NoduleFacts(
        texture=texture,
        mean_diameter_mm=mean_diameter_mm,
        solid_part_mm=solid_part_mm,
        margin=margin,
        **facts,
    )


def study(guideline, *findings, lungs_cut=False, quality_failed=False, **options):
    return classify_study(
        guideline, findings, lungs_cut=lungs_cut, quality_failed=quality_failed, **options
    )
