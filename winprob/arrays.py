"""The array type of all signatures, and work on blocks of rows over threads."""

from typing import Any

import numpy.typing as npt

#: Any NumPy array; a docstring gives its dims and what it holds.
Array = npt.NDArray[Any]
