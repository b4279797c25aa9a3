"""Colours as files and screens hold them, and as light adds up."""

import numpy as np


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB, 0 to 1 → linear, same shape (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear → sRGB, same shape; below 0 and above 1 are cut off."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
