"""What the headers of DICOM files say: instances, frames, acquisitions, patients."""
