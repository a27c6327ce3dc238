"""The limit of each quality notice, with its reason."""

from __future__ import annotations

THICK_SLICES_ABOVE_MM = 2.5
"""Thickness or spacing. Fleischner 2017 asks for 1.5 mm or less to follow a nodule, LUNA16 excluded
scans above 2.5 mm: a 5 mm nodule is then on two slices at best."""

RESOLUTION_LOW_ABOVE_MM = 1.0
"""Pixel spacing. A 500 mm field of view on 512 pixels, the widest of ordinary scanners, has
0.98 mm; wider pixels were resampled afterwards, or the image is not diagnostic."""

ORIENTATION_DEGREES = 5.0
"""Angle between the slice normal and the patient's long axis. A patient is positioned askew by
less; a reformatted or tilted series differs by more."""

LUNGS_CUT_ABOVE_CM2 = 2.0
"""Area of lung on one face of the field of view. Smaller contacts vary with partial volume where
the recess just ends in the last slice."""

ONE_LUNG_BELOW = 0.1
"""Air of the smaller lung over that of the larger. After lobectomy or with a raised diaphragm it is
0.5 or more; below a tenth the lung is missing, collapsed or filled."""

AIR_TOLERANCE_HU = 60.0
"""Deviation of the air around the body from -1000. The ACR's phantom test allows -1005 to -970;
real series measure -1000 to -950, lowest with a sharp kernel and streaks. A wrong rescale intercept
or a lost sign shifts it by 24 HU or, most often, by 1000."""

NOISE_ABOVE_HU = 60.0
"""Standard deviation in soft tissue. Measured on real series: 11 to 21 HU with standard kernels, 77
with a bone kernel. Ground glass differs from lung by 150 to 300 HU, so its finer structure is lost
at this level, and simulated noise in training goes up to the same value."""

JUMP_ABOVE = 1.6
"""Change between two slices over the usual change around them. Real series reach 1.06 to
1.22; with 10 mm of breathing between two slices they reach 1.7 to 3.7, with a shift of 6 mm 2.3 to
5.6."""

METAL_HU, METAL_ABOVE_ML = 2500, 1.0
"""Cortical bone and calcified nodules stay below 2000 HU, enamel below 3000. A millilitre is a
screw with its blooming; ribs with a bone kernel reach 0.7 ml. Undiluted contrast agent in a vein
can reach this too, and cause the same streaks."""

CONTRAST_ABOVE_HU = 90.0
"""Median of heart and great vessels. Blood without contrast is 35 to 50 HU (40 and 42 in the
real series measured), with it 100 to 350 (128 and 314)."""
