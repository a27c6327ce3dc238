"""How a command ends: one clear sentence for what went wrong, and the exit code for it."""

from __future__ import annotations

import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import ExitCode
from hounsfield.preprocessing.errors import HounsfieldError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def ending(*, debug: bool) -> Iterator[None]:
    """Turns what went wrong inside into a sentence on standard error and an exit code.

    A request to terminate is treated as an interrupt, so that a run that a scheduler stops
    can go on later.

    Args:
        debug: Shows the traceback too.

    Raises:
        SystemExit: With the code, where something went wrong.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except HounsfieldError as error:
        _end(str(error), error.exit_code, debug=debug)
    except KeyboardInterrupt:
        _end("interrupted; the same command goes on from here", ExitCode.INTERRUPTED, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last place that can make a sentence of it
        msg = f"a defect of Hounsfield, please report it: {type(error).__name__}: {error}"
        _end(msg if debug else f"{msg} (--debug shows where)", ExitCode.DEFECT, debug=debug)
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(sentence: str, code: int, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"hounsfield: {sentence}\n")
    raise SystemExit(int(code))
