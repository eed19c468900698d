"""Arrays as JSON holds them."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(array: NDArray[Any]) -> str:
    """Return an array's bytes, compressed, as text, so that a column's profile stays at about 10 kB."""
    return base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()


def unpacked(text: str, kind: str) -> NDArray[Any]:
    """Return the array that `packed` wrote; ``kind`` is NumPy's name of the type, with its byte order."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind)
