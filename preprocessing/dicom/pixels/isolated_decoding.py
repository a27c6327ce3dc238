"""Digests of planes for discovery, whose process a crash in a codec must not end.

Native pixels are read in the process itself: that takes numpy only. Compressed ones are decoded in
one child process, which starts with the first of them and is replaced if it crashes or hangs.
"""

from __future__ import annotations

import atexit
import hashlib
import signal
import subprocess
import sys
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.transfer_syntaxes import NATIVE_SYNTAXES
from hounsfield.preprocessing.dicom.pixels.reading import read_hu
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from hounsfield.preprocessing.dicom.headers.instance import Instance
    from hounsfield.preprocessing.geometry.frame import Frame

PLANE_TIMEOUT_S: Final = 30.0
"""Time for one plane. The largest, 4096 x 4096 in JPEG 2000, takes about two seconds."""

MAX_PIXELS_IN_PROCESS: Final = 2048 * 2048
"""Larger planes are read in the child too, so that the process itself never holds them."""

_START = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({descriptor})"
"""The child's program. `multiprocessing` would run the caller's main module in it again, which a
script without a guard around its main part does not survive."""


def plane_digest(instance: Instance, frame: Frame) -> bytes:
    """Returns a digest of the HU and the position of a plane: equal for copies in any encoding.

    Args:
        instance: An instance with pixels and without `damage`.
        frame: One of the instance's frames.

    Raises:
        SeriesError: The pixels cannot be read, or the codec crashed or took too long.
    """
    layout = instance.pixels
    syntax = instance.transfer_syntax_uid
    if (
        layout is None
        or (layout.fragments and syntax in NATIVE_SYNTAXES)  # refused before any codec is asked
        or (
            not layout.fragments
            and syntax != DeflatedExplicitVRLittleEndian
            and layout.rows * layout.columns <= MAX_PIXELS_IN_PROCESS
        )
    ):
        return _digest(instance, frame)
    return _PROCESS.digest(instance, frame)


def stop_decoding_process() -> None:
    """Ends the child process, if one runs; the next compressed plane starts another."""
    _PROCESS.stop()


def serve(descriptor: int) -> None:
    """Answers each plane with its digest or its `SeriesError`, until the parent goes.

    Args:
        descriptor: The file descriptor of the child's end of the pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    with Connection(descriptor) as pipe:
        while True:
            try:
                instance, frame = pipe.recv()
            except EOFError:
                return
            # A child that hangs ends even if its parent was killed.
            signal.alarm(int(2 * PLANE_TIMEOUT_S))
            try:
                with as_series_error(str(instance.source)):
                    answer: bytes | SeriesError = _digest(instance, frame)
            except SeriesError as error:
                answer = error
            signal.alarm(0)
            pipe.send(answer)


class DecodingProcess:
    """A child process that decodes one plane after the other; it starts when it is first asked.

    Args:
        timeout_s: A plane that takes longer is unreadable.
    """

    def __init__(self, timeout_s: float = PLANE_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the child; None if none runs."""
        return None if self._child is None else self._child.pid

    def digest(self, instance: Instance, frame: Frame) -> bytes:
        """Returns the digest of a plane, decoded in the child.

        Args:
            instance: An instance with pixels and without `damage`.
            frame: One of the instance's frames.

        Raises:
            SeriesError: The pixels cannot be read, or the child crashed or took too long.
        """
        path = str(instance.source)
        with self._lock:
            try:
                answer = self._ask(instance, frame)
            except TimeoutError:
                self._stop()
                msg = f"The compressed pixels take longer than {self._timeout_s:g} s to decode"
                raise SeriesError(Reason.UNREADABLE, msg, path=path) from None
            except (EOFError, OSError) as error:
                msg = f"The codec crashed on the compressed pixels ({self._stop()})"
                raise SeriesError(Reason.UNREADABLE, msg, path=path) from error
            except BaseException:
                self._stop()  # an interrupt would leave an answer in the pipe
                raise
        if isinstance(answer, SeriesError):
            raise answer
        return answer

    def stop(self) -> None:
        """Ends the child, if one runs."""
        with self._lock:
            self._stop()

    def _ask(self, instance: Instance, frame: Frame) -> bytes | SeriesError:
        pipe = self._pipe or self._start()
        pipe.send(_single_plane(instance, frame))
        if not pipe.poll(self._timeout_s):
            raise TimeoutError
        answer: bytes | SeriesError = pipe.recv()
        return answer

    def _start(self) -> Connection:
        self._pipe, theirs = Pipe()
        with theirs:
            program = _START.format(path=sys.path, module=__name__, descriptor=theirs.fileno())
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-c", program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # codecs print what they think of damaged data
            )
        return self._pipe

    def _stop(self) -> str:
        """Ends the child and returns how it ended, in words."""
        child, self._child = self._child, None
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if child is None:
            return "it could not be started"
        try:
            status = child.wait(timeout=0.2)  # it ends with its pipe, if it does not hang
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


_PROCESS = DecodingProcess()
atexit.register(_PROCESS.stop)


def _single_plane(instance: Instance, frame: Frame) -> tuple[Instance, Frame]:
    """The plane as an instance of its own, without the other frames, to send less."""
    layout = instance.pixels
    if layout is not None and layout.fragments:
        own = replace(layout, fragments=(layout.fragments[frame.number - 1],))
        frame = replace(frame, number=1)
        return replace(instance, frames=(frame,), pixels=own), frame
    return replace(instance, frames=(frame,)), frame


def _digest(instance: Instance, frame: Frame) -> bytes:
    layout = instance.pixels
    if layout is None:
        return b""
    hu = np.empty((layout.rows, layout.columns), dtype=np.int16)
    read_hu(instance, frame, hu)
    digest = hashlib.blake2b(hu.data, digest_size=16)
    digest.update(repr(np.round(frame.position_mm or (), 2).tolist()).encode())
    return digest.digest()
