"""NIfTI and MetaImage: one file, one volume."""
