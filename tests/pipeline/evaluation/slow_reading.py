"""An independent slow reading of the LUNA16 protocol: loops, fractions, one rule after another."""

from __future__ import annotations

from fractions import Fraction


def slow_luna16(scans, nodules, excluded, marks, rates):
    """Rows are (scan, x, y, z, diameter) and (scan, x, y, z, score); returns counts and curve."""
    positives, negatives = [], []  # scores
    ignored_excluded = ignored_duplicates = 0
    for scan in scans:
        mine = [m for m in marks if m[0] == scan]
        if len(mine) > 100:
            threshold = sorted((m[4] for m in mine), reverse=True)[100]
            mine = [m for m in mine if m[4] > threshold]
        left = list(range(len(mine)))
        for nodule in [n for n in nodules if n[0] == scan]:
            on_it = [i for i, m in enumerate(mine) if _inside(m, nodule)]
            left = [i for i in left if i not in on_it]
            ignored_duplicates += max(len(on_it) - 1, 0)
            positives.append(max((mine[i][4] for i in on_it), default=None))
        for finding in [f for f in excluded if f[0] == scan]:
            on_it = [i for i in left if _inside(mine[i], finding)]
            left = [i for i in left if i not in on_it]
            ignored_excluded += len(on_it)
        negatives += [mine[i][4] for i in left]
    counts = {
        "true_positives": sum(p is not None for p in positives),
        "false_positives": len(negatives),
        "ignored_excluded": ignored_excluded,
        "ignored_duplicates": ignored_duplicates,
    }
    points = _points(positives, negatives, len(scans))
    return counts, [float(_read(points, Fraction(rate))) for rate in rates]


def _inside(mark, finding):
    diameter = 10.0 if finding[4] < 0 else finding[4]
    squared = sum((a - b) ** 2 for a, b in zip(mark[1:4], finding[1:4], strict=True))
    return squared < (diameter / 2) ** 2


def _points(positives, negatives, scans):
    scores = {s for s in positives if s is not None} | set(negatives)
    points = [(Fraction(0), Fraction(0))]
    for score in sorted(scores, reverse=True):
        found = sum(p is not None and p >= score for p in positives)
        wrong = sum(n >= score for n in negatives)
        points.append((Fraction(wrong, scans), Fraction(found, len(positives))))
    return points


def _read(points, rate):
    last = max(i for i, (x, _) in enumerate(points) if x <= rate)
    (x0, y0) = points[last]
    if last + 1 == len(points):
        return y0
    (x1, y1) = points[last + 1]
    return y0 + (rate - x0) / (x1 - x0) * (y1 - y0)
