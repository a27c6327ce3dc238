"""Pixels of DICOM files as Hounsfield units."""
