"""Which sounds are the same recording, whatever their loudness, coding and trim: pairs of spectral peaks, counted.

The method of Wang, "An Industrial-Strength Audio Search Algorithm" (ISMIR 2003).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from config.units import SAMPLE_RATE

WINDOW, HOP = 1024, 256  # samples: 64 ms and 16 ms
HIGHEST_BIN = 224  # 3.5 kHz: what a telephone lets through
PEAK_BINS, PEAK_STEPS = 13, 9  # a peak is the highest of this neighbourhood
DEPTH_DB = 50.0  # below the loudest peak, where noise has peaks of its own
SILENCE_DB = -140.0  # of the loudest peak's density: what rounding to 16 bits leaves, and less
PARTNERS = 6  # later peaks that each peak is paired with
FARTHEST_STEPS = 63
COMMON = 48  # a hash found more often tells nothing
MOST_HASHES = 4_000_000  # of all sounds together; beyond, the same share of each one's is left out


class Fingerprint(NamedTuple):
    hashes: np.ndarray  # (pairs,) uint32
    steps: np.ndarray  # (pairs,) int32: when, in HOP


class Match(NamedTuple):
    first: int  # which sounds, by their place in the sequence
    second: int
    share: float  # of the shorter one's hashes that both have, at one offset
    offset_s: float  # from the second one's start to the first one's: where in `first` the second begins


def fingerprint(audio: np.ndarray) -> Fingerprint:
    """audio: (samples,) 16 kHz."""
    from scipy.ndimage import maximum_filter
    from scipy.signal import spectrogram

    if len(audio) < 2 * WINDOW:
        return Fingerprint(np.zeros(0, np.uint32), np.zeros(0, np.int32))
    _, _, power = spectrogram(audio, SAMPLE_RATE, "hann", WINDOW, WINDOW - HOP, mode="psd")
    level_db = 10 * np.log10(power[1 : HIGHEST_BIN + 1] + 1e-20)
    is_peak = level_db == maximum_filter(level_db, (PEAK_BINS, PEAK_STEPS), mode="nearest")
    steps, bins = np.nonzero((is_peak & (level_db > max(level_db.max() - DEPTH_DB, SILENCE_DB))).T)
    hashes, times = [], []
    for partner in range(1, PARTNERS + 1):
        later = steps[partner:] - steps[:-partner]
        near = (later > 0) & (later <= FARTHEST_STEPS)
        hashes.append((bins[:-partner][near] << 14 | bins[partner:][near] << 6 | later[near]).astype(np.uint32))
        times.append(steps[:-partner][near].astype(np.int32))
    return Fingerprint(np.concatenate(hashes), np.concatenate(times))


def same_recordings(prints: Sequence[Fingerprint], least_share: float) -> list[Match]:
    """The pairs of sounds that share at least `least_share` of the shorter one's hashes, the surest first."""
    hashes, steps, owners = _thinned(prints)
    order = np.lexsort((owners, hashes))
    hashes, steps, owners = hashes[order], steps[order], owners[order]
    sizes = np.bincount(owners, minlength=len(prints))
    firsts, seconds, offsets = [], [], []
    for distance in range(1, COMMON):
        same = hashes[distance:] == hashes[:-distance]
        a, b = np.flatnonzero(same), np.flatnonzero(same) + distance
        different = owners[a] != owners[b]
        a, b = a[different], b[different]
        firsts.append(owners[a])
        seconds.append(owners[b])
        offsets.append(steps[a] - steps[b])
        if not same.any():
            break
    votes = np.column_stack([np.concatenate(part) for part in (firsts, seconds, offsets)])
    if not len(votes):
        return []
    cells, counts = np.unique(votes, axis=0, return_counts=True)
    best: dict[tuple[int, int], Match] = {}
    for (first, second, offset), count in zip(cells[counts >= 3].tolist(), counts[counts >= 3].tolist(), strict=True):
        share = min(1.0, count / max(1, min(sizes[first], sizes[second])))
        if share > best.get((first, second), Match(first, second, 0.0, 0.0)).share:
            best[first, second] = Match(first, second, float(share), offset * HOP / SAMPLE_RATE)
    return sorted((match for match in best.values() if match.share >= least_share), key=lambda match: -match.share)


def _thinned(prints: Sequence[Fingerprint]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes, their steps and whose they are, in one, less what MOST_HASHES leaves out (by value, so alike in all)."""
    hashes = np.concatenate([one.hashes for one in prints])
    keep = hashes * np.uint32(2654435761) < np.uint32(min(1.0, MOST_HASHES / max(len(hashes), 1)) * (2**32 - 1))
    steps = np.concatenate([one.steps for one in prints])
    owners = np.repeat(np.arange(len(prints)), [len(one.hashes) for one in prints])
    return hashes[keep], steps[keep], owners[keep]
