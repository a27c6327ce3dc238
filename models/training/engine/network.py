"""Builds a network from the `network` section of a training configuration."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    Network = TypeVar("Network", bound=nn.Module)


def make_network(constructor: Callable[..., Network], settings: Mapping[str, Any]) -> Network:
    """Builds a network with random weights.

    Args:
        constructor: Class of the network, or a function that returns one.
        settings: Arguments by name: `network` of a training configuration.

    Returns:
        The network, initialised from torch's global random generator.

    Raises:
        UsageError: A setting is unknown or missing; the sentence names it.
    """
    parameters = inspect.signature(constructor).parameters
    known = ", ".join(parameters)
    for name in settings:
        if name not in parameters:
            msg = f"network.{name}: there is no such setting; known here: {known}"
            raise UsageError(msg)
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in settings:
            msg = f"network.{name} is missing; known here: {known}"
            raise UsageError(msg)
    return constructor(**settings)
