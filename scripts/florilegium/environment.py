"""Settings of this machine rather than of a result: environment variables, checked where they are used."""

from __future__ import annotations

import math
import os

from florilegium.errors import UserError


def seconds_to_wait(name: str, default: float, zero: bool = False) -> float:
    """What the variable `name` says, or `default` without it.

    Raises:
        UserError: it is no finite time above 0 (with `zero`: from 0 on).
    """
    given = os.environ.get(name, str(default))
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and (seconds > 0 or (zero and seconds == 0))):
        raise UserError(
            f"{name}: '{given}' is no time to wait; expected seconds, {'0 or more' if zero else 'more than 0'}"
        )
    return seconds
