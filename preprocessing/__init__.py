"""Files to `Volume`: discovery, DICOM, MetaImage and NIfTI, geometry, HU, working grid, lungs."""
