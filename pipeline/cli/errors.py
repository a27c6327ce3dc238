"""Turns an error into one clear sentence and an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import ExitCode
from hounsfield.preprocessing.errors import INSTALL_TRAIN, HounsfieldError, SeriesError
from hounsfield.preprocessing.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


_IN_TRAIN_EXTRA = frozenset({"torch", "monai", "onnx", "onnxscript", "tensorboard"})
"""Packages that only training, and the import and export of models, need."""


@contextmanager
def exit_on_error(*, debug: bool) -> Iterator[None]:
    """Turn an exception raised inside into a sentence on standard error and an exit code.

    A request to terminate (SIGTERM) counts as an interrupt, so that a run that a scheduler stopped
    can be resumed.

    Args:
        debug: Show the traceback as well as the sentence.

    Yields:
        Nothing; the body of the command runs inside.

    Raises:
        SystemExit: An exception was raised inside; it carries the exit code.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except HounsfieldError as error:
        _end(_sentence(error), error.exit_code, debug=debug)
    except KeyboardInterrupt:
        _end("interrupted; run the same command again to resume", ExitCode.INTERRUPTED, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last place that can report it
        if isinstance(error, ModuleNotFoundError) and error.name in _IN_TRAIN_EXTRA:
            msg = f"this command needs {error.name}, which is not installed: {INSTALL_TRAIN}"
            _end(msg, ExitCode.USAGE, debug=debug)
        msg = f"internal error, please report it: {type(error).__name__}: {error}"
        _end(
            msg if debug else f"{msg} (--debug shows the traceback)", ExitCode.INTERNAL, debug=debug
        )
    finally:
        signal.signal(signal.SIGTERM, before)


def _sentence(error: HounsfieldError) -> str:
    """The sentence of an error, with the path that it speaks of."""
    path = error.path if isinstance(error, SeriesError) else None
    return f"{path}: {error}" if path else str(error)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(sentence: str, code: int, *, debug: bool) -> None:
    if debug:
        lines = map(printable_text, traceback.format_exc().splitlines())
        sys.stderr.writelines(f"    {line}\n" for line in lines)  # none passes for the sentence
    sys.stderr.write(f"hounsfield: {printable_text(sentence)}\n")
    raise SystemExit(int(code))
