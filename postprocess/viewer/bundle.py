"""Arrays as text in a page: one compressed block, and a JSON that says where each array lies in it."""

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np

ALIGNMENT = 4  # bytes: a JavaScript typed array begins at a multiple of its element's size
# numpy's name → JavaScript's typed array, little-endian as every browser's machine is.
ARRAYS = {"float32": "Float32Array", "float16": "Float16Array", "int16": "Int16Array", "int8": "Int8Array",
          "uint32": "Uint32Array", "uint16": "Uint16Array", "uint8": "Uint8Array"}  # fmt: skip


def packed(arrays: Mapping[str, np.ndarray]) -> tuple[str, dict[str, Any]]:
    """(gzip in base64, name → {type, offset in bytes, length in elements}); read by bundle.js."""
    block, places = bytearray(), {}
    for name, array in arrays.items():
        block += bytes(-len(block) % ALIGNMENT)
        places[name] = {"type": ARRAYS[array.dtype.name], "offset": len(block), "length": array.size}
        block += array.astype(array.dtype.newbyteorder("<")).tobytes()
    return base64.b64encode(gzip.compress(bytes(block), mtime=0)).decode(), places
