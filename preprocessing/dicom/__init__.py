"""DICOM: headers, encapsulated pixels, stored values, acquisitions, series and volumes."""
