"""Hounsfield: folders of chest CT into findings that a radiologist can check."""
