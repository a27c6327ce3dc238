"""Planes that share a position are compared in a child process, which a codec may bring down."""

import os
import signal

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.pixels import isolated_decoding
from hounsfield.preprocessing.dicom.pixels.isolated_decoding import DecodingProcess, plane_digest
from hounsfield.preprocessing.errors import SeriesError
from tests.preprocessing.dicom_files import (
    COMPRESSED,
    NATIVE,
    read_instances,
    save_stack,
    stack_datasets,
)


@pytest.fixture(autouse=True)
def _no_process_before_or_after():
    isolated_decoding.stop_decoding_process()
    yield
    isolated_decoding.stop_decoding_process()


@pytest.fixture
def process():
    process = DecodingProcess(timeout_s=20)
    yield process
    process.stop()


def instance_of(folder, depth_mm=0.0, **keywords):
    """The header of one slice."""
    return read_instances(save_stack(stack_datasets([depth_mm], **keywords), folder))[0]


def test_copies_in_any_encoding_have_one_digest(tmp_path):
    instances = [instance_of(tmp_path / syntax, syntax=syntax) for syntax in (*NATIVE, *COMPRESSED)]
    assert len({plane_digest(instance, instance.frames[0]) for instance in instances}) == 1


def test_other_pixels_or_another_position_have_another_digest(tmp_path):
    first = instance_of(tmp_path / "a")
    moved = instance_of(tmp_path / "b", 1.0)
    other = instance_of(tmp_path / "c", intercept=-1000, RescaleIntercept="-1001")
    digests = {plane_digest(instance, instance.frames[0]) for instance in (first, moved, other)}
    assert len(digests) == 3


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED])
def test_a_process_starts_for_compressed_or_deflated_planes_alone(tmp_path, syntax):
    instance = instance_of(tmp_path, syntax=syntax)
    assert len(plane_digest(instance, instance.frames[0])) == 16
    has_process = isolated_decoding._PROCESS.pid is not None
    assert has_process == (syntax in {*COMPRESSED, DeflatedExplicitVRLittleEndian})


def test_an_error_of_the_child_has_its_reason_and_path(tmp_path, process):
    instance = instance_of(tmp_path, syntax=JPEG2000Lossless)
    content = bytearray(instance.source.path.read_bytes())
    content[instance.pixels.offset + 60 :] = bytes(len(content) - instance.pixels.offset - 60)
    instance.source.path.write_bytes(content)
    with pytest.raises(SeriesError) as caught:
        process.digest(instance, instance.frames[0])
    assert caught.value.path == str(instance.source)


def test_a_crash_costs_one_plane_and_the_next_is_read(tmp_path, process):
    instance = instance_of(tmp_path, syntax=JPEG2000Lossless)
    digest = process.digest(instance, instance.frames[0])
    os.kill(process.pid, signal.SIGSEGV)
    with pytest.raises(SeriesError, match="The codec crashed") as caught:
        process.digest(instance, instance.frames[0])
    assert caught.value.reason is Reason.UNREADABLE
    assert process.digest(instance, instance.frames[0]) == digest


def test_a_hang_costs_one_plane(tmp_path):
    process = DecodingProcess(timeout_s=0.0)
    instance = instance_of(tmp_path, syntax=JPEG2000Lossless)
    with pytest.raises(SeriesError, match="longer than 0 s") as caught:
        process.digest(instance, instance.frames[0])
    assert caught.value.reason is Reason.UNREADABLE
    assert process.pid is None
