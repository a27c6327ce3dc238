"""Names of the files in a series' output folder, ``OUT/studies/<study>/<series>/``."""

from __future__ import annotations

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
KEY_PICTURE = "key_image.png"
SEGMENTATION_NII = "segmentation.nii.gz"


def picture_name(finding: int) -> str:
    """Name the picture of a finding: its three planes.

    Args:
        finding: Number of the finding in the report, from 1.

    Returns:
        A file name such as ``finding_01.png``.
    """
    return f"finding_{finding:02d}.png"


def activation_picture_name(finding: int) -> str:
    """Name the picture of a finding's class activation map over the CT.

    Args:
        finding: Number of the finding in the report, from 1.

    Returns:
        A file name such as ``finding_01_cam.png``.
    """
    return f"finding_{finding:02d}_cam.png"


def activation_file_name(finding: int) -> str:
    """Name the NIfTI file of a finding's class activation map.

    Args:
        finding: Number of the finding in the report, from 1.

    Returns:
        A file name such as ``finding_01_cam.nii.gz``.
    """
    return f"finding_{finding:02d}_cam.nii.gz"


def growth_picture_name(finding: int) -> str:
    """Name the picture that shows a finding in the earlier study and in this one.

    Args:
        finding: Number of the finding in the report, from 1.

    Returns:
        A file name such as ``finding_01_growth.png``.
    """
    return f"finding_{finding:02d}_growth.png"
