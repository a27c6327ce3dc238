"""Growth since an earlier study, as typed results: what was compared and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.pipeline.assessment.guidelines.facts import IntervalChanges

if TYPE_CHECKING:
    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.findings import Candidate, WorldPoint
    from hounsfield.pipeline.assessment.interval_change import NoduleSize, SizeChange
    from hounsfield.preprocessing.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class EarlierNodule:
    """A nodule as the earlier study shows it.

    Attributes:
        candidate: Its place, in that study's own frame, with the detector's size and score.
        size: Its measured size; None where no outline was found.
        boundary: Its outline on the earlier study's upright grid; None where none was found.
        is_finding: False for a candidate below the operating point.
    """

    candidate: Candidate
    size: NoduleSize | None
    boundary: Segmentation | None
    is_finding: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class ComparedFinding:
    """A finding of the later study beside what the earlier one shows at its place.

    Attributes:
        number: Number of the finding in the report, from 1.
        earlier_world_mm: Its place in the earlier study, (x, y, z) in that study's LPS mm.
        earlier: The nodule at that place; None where there is none.
        change: How it has changed; None where it was not measured in both studies.
        inside: Whether the earlier images show the place.
    """

    number: int
    earlier_world_mm: WorldPoint
    earlier: EarlierNodule | None
    change: SizeChange | None
    inside: bool

    @property
    def interval_changes(self) -> IntervalChanges:
        """The change in a guideline's words; unknown where nothing could be compared."""
        if self.change is not None:
            return IntervalChanges(self.change.diameter_change, self.change.solid_part_change)
        is_new = self.earlier is None and self.inside
        return IntervalChanges("new", "new") if is_new else IntervalChanges()


@dataclass(frozen=True, slots=True, eq=False)
class MissingNodule:
    """A finding of the earlier study that is no finding of the later one.

    Attributes:
        earlier: The nodule in the earlier study.
        world_mm: Where it would lie in the later study, (x, y, z) in LPS mm.
        candidate: A candidate of the later study at that place; None where there is none.
        inside: Whether the later images show the place.
    """

    earlier: EarlierNodule
    world_mm: WorldPoint
    candidate: Candidate | None
    inside: bool


@dataclass(frozen=True, slots=True, eq=False)
class EarlierStudy:
    """The study that was compared.

    Attributes:
        volume: Its series, upright; outlines lie on its grid.
        days: Days from it to the later study, 1 or more.
        findings: How many findings it has at the same operating point.
        lung_overlap: Dice coefficient of the registered lungs, 0 to 1.
        vessel_correlation: Correlation of the registered lungs' vessels, -1 to 1.
    """

    volume: Volume
    days: int
    findings: int
    lung_overlap: float
    vessel_correlation: float


@dataclass(frozen=True, slots=True, eq=False)
class GrowthComparison:
    """The findings of a study compared with the patient's most recent earlier study.

    Attributes:
        earlier: The study that was compared; None where none could be.
        reason: Why findings were not compared, in a sentence; empty where they were.
        findings: One for each finding of the later study, in their order; None where nothing was
            compared.
        missing: The earlier findings that are not seen again.
    """

    earlier: EarlierStudy | None = None
    reason: str = ""
    findings: tuple[ComparedFinding, ...] | None = None
    missing: tuple[MissingNodule, ...] = ()
