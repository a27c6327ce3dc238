"""NIfTI files of a small volume, how they are read, and what must come out."""

import gzip

import nibabel as nib
import numpy as np

from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.formats.nifti import describe_nifti, read_nifti
from tests.preprocessing.volumes import make_volume

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From LPS mm to RAS mm and back."""


def image_of(volume, dtype=np.int16, kind=nib.Nifti1Image):
    return kind(volume.hu.transpose(2, 1, 0).astype(dtype), RAS @ volume.affine)


def save(image, path):
    nib.save(image, path)
    return path


def describe(path):
    return describe_nifti(ByteSource(path))


def read(path):
    return read_nifti(describe(path))


def assert_same(volume, again):
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-4)


def saved_with(tmp_path, name="a.nii", **fields):
    """A file whose header fields were overwritten."""
    image = image_of(make_volume())
    image.set_sform(None, code=0)
    image.set_qform(RAS @ make_volume().affine, code="scanner")
    data = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(data[:348]), check=False)
    for field, value in fields.items():
        header[field] = value
    data[:348] = header.binaryblock
    path = tmp_path / name
    path.write_bytes(gzip.compress(bytes(data)) if name.endswith("gz") else bytes(data))
    return path
