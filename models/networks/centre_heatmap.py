"""What the output of `CentreNet` means, for those who read it without torch."""

STRIDE = 4
"""Voxels of the input a cell of the output, along each axis."""

SIZE_DIVISOR = 16
"""Input sizes must be divisible by this."""

REFERENCE_DIAMETER_MM = 8.0
"""The diameter that the network's size output gives as 0: it gives log(diameter / this)."""

HEAT, OFFSET, LOG_DIAMETER = 0, slice(1, 4), 4
"""Channels of the output: heat-map logit, offset of the centre in cells (z, y, x), size."""

OUTPUT_CHANNELS = 5
