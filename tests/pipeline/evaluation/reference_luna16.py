"""An independent, slow implementation of the LUNA16 protocol: loops and exact fractions."""

from __future__ import annotations

from fractions import Fraction


def reference_luna16(scans, nodules, excluded, predictions, rates):
    """Returns counts and curve; rows are (scan, x, y, z, diameter) and (scan, x, y, z, score)."""
    positives, negatives = [], []  # scores
    ignored_excluded = ignored_duplicates = 0
    for scan in scans:
        of_scan = [p for p in predictions if p[0] == scan]
        if len(of_scan) > 100:
            threshold = sorted((p[4] for p in of_scan), reverse=True)[100]
            of_scan = [p for p in of_scan if p[4] > threshold]
        left = list(range(len(of_scan)))
        for nodule in [n for n in nodules if n[0] == scan]:
            hits = [i for i, p in enumerate(of_scan) if _inside(p, nodule)]
            left = [i for i in left if i not in hits]
            ignored_duplicates += max(len(hits) - 1, 0)
            positives.append(max((of_scan[i][4] for i in hits), default=None))
        for finding in [f for f in excluded if f[0] == scan]:
            hits = [i for i in left if _inside(of_scan[i], finding)]
            left = [i for i in left if i not in hits]
            ignored_excluded += len(hits)
        negatives += [of_scan[i][4] for i in left]
    counts = {
        "true_positives": sum(p is not None for p in positives),
        "false_positives": len(negatives),
        "ignored_excluded": ignored_excluded,
        "ignored_duplicates": ignored_duplicates,
    }
    points = _points(positives, negatives, len(scans))
    return counts, [float(_read(points, Fraction(rate))) for rate in rates]


def _inside(prediction, finding):
    diameter = 10.0 if finding[4] < 0 else finding[4]
    squared = sum((a - b) ** 2 for a, b in zip(prediction[1:4], finding[1:4], strict=True))
    return squared < (diameter / 2) ** 2


def _points(positives, negatives, scans):
    scores = {s for s in positives if s is not None} | set(negatives)
    points = [(Fraction(0), Fraction(0))]
    for score in sorted(scores, reverse=True):
        detected = sum(p is not None and p >= score for p in positives)
        wrong = sum(n >= score for n in negatives)
        points.append((Fraction(wrong, scans), Fraction(detected, len(positives))))
    return points


def _read(points, rate):
    last = max(i for i, (x, _) in enumerate(points) if x <= rate)
    (x0, y0) = points[last]
    if last + 1 == len(points):
        return y0
    (x1, y1) = points[last + 1]
    return y0 + (rate - x0) / (x1 - x0) * (y1 - y0)
