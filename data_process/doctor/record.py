"""A clip's measures as JSON and back, so that a clip that has not changed is not measured again."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from data_process.doctor.measure import measure
from data_process.stages import Item
from dataset.corpus import ClipFiles

VERSION = 4  # to raise whenever measure gives other values


@dataclass(frozen=True)
class MeasureItem(Item):
    """A clip's work, with its files by name, and what prepare found in its raw files."""

    files: ClipFiles
    prepared: Mapping[str, Mapping[str, Any]]


def measure_clip(item: MeasureItem, fps: float) -> dict[str, Any]:
    """The clip's measures, for a stage's record; its files are known without."""
    return encode(replace(measure(item.files, fps, item.prepared), files=ClipFiles(item.id)))


def encode(value: Any) -> Any:
    """Dataclasses, named tuples, arrays, containers and plain values → what json.dumps takes."""
    if isinstance(value, np.ndarray):
        text = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": value.shape, "base64": text}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    names = _field_names(type(value))
    if names:
        return {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: encode(inner) for key, inner in value.items()}
    return [encode(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def decode(kind: Any, data: Any) -> Any:
    """Undo encode for a value of this type; a union has one member beside None."""
    if data is None:
        return None
    if kind is np.ndarray:
        return np.frombuffer(base64.b64decode(data["base64"]), data["dtype"]).reshape(data["shape"])
    if kind is Path:
        return Path(data)
    names = _field_names(kind)
    if names:
        hints = get_type_hints(kind)
        return kind(**{name: decode(hints[name], data[name]) for name in names})
    inner = get_args(kind)
    if NoneType in inner:
        return decode(next(member for member in inner if member is not NoneType), data)
    if get_origin(kind) is tuple:
        kinds = inner[:1] * len(data) if inner[-1] is Ellipsis else inner
        return tuple(decode(member, value) for member, value in zip(kinds, data, strict=True))
    if get_origin(kind) is list:
        return [decode(inner[0], value) for value in data]
    if isinstance(data, dict) and inner:
        return {key: decode(inner[1], value) for key, value in data.items()}
    return data


def _field_names(kind: type) -> tuple[str, ...]:
    """Of a dataclass or a named tuple; of anything else, none."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else getattr(kind, "_fields", ())
