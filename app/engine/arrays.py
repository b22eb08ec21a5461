"""The kinds of array that the engine works on: for mypy as `Int64`, for the compiler as `INT64`."""

from typing import Final

import numpy as np
from numba import types
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Int8 = NDArray[np.int8]
UInt8 = NDArray[np.uint8]
Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

VOID: Final = types.void
BOOLEAN: Final = types.boolean
INT: Final = types.int64

# Columns come read-only (a book may lie over the bytes of a COPY) and are never written; results are.
INT64: Final = types.Array(types.int64, 1, "C", readonly=True)
INT32: Final = types.Array(types.int32, 1, "C", readonly=True)
INT8: Final = types.Array(types.int8, 1, "C", readonly=True)
BOOL: Final = types.Array(types.boolean, 1, "C", readonly=True)
FLOAT64: Final = types.Array(types.float64, 1, "C", readonly=True)
UINT8_2D: Final = types.Array(types.uint8, 2, "C", readonly=True)
INT64_3D: Final = types.Array(types.int64, 3, "C", readonly=True)
INT64_2D: Final = types.Array(types.int64, 2, "C", readonly=True)
FLOAT32_3D: Final = types.Array(types.float32, 3, "C", readonly=True)
FLOAT64_2D: Final = types.Array(types.float64, 2, "C", readonly=True)
FLOAT64_3D: Final = types.Array(types.float64, 3, "C", readonly=True)
INT64_OUT: Final = types.Array(types.int64, 1, "C")
INT64_2D_OUT: Final = types.Array(types.int64, 2, "C")
INT64_3D_OUT: Final = types.Array(types.int64, 3, "C")
FLOAT64_2D_OUT: Final = types.Array(types.float64, 2, "C")
FLOAT64_3D_OUT: Final = types.Array(types.float64, 3, "C")
FLOAT32_3D_OUT: Final = types.Array(types.float32, 3, "C")
INT8_OUT: Final = types.Array(types.int8, 1, "C")
