"""Which sounds are the same recording, whatever their loudness, coding and trim: triples of spectral peaks, counted.

The method of Wang, "An Industrial-Strength Audio Search Algorithm" (ISMIR 2003), with triples in place of pairs: one
in ten million of two voices' triples is the same by chance, one in seventy thousand of their pairs.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.signal import spectrogram

from config.units import SAMPLE_RATE

WINDOW, HOP = 1024, 256  # samples: 64 ms and 16 ms
HIGHEST_BIN = 224  # 3.5 kHz: what a telephone lets through
PEAK_BINS, PEAK_STEPS = 13, 9  # a peak is the highest of this neighbourhood
DEPTH_DB = 50.0  # below the loudest peak, where noise has peaks of its own
SILENCE_DB = -140.0  # of the loudest peak's density: what rounding to 16 bits leaves, and less
PARTNERS = 6  # later peaks, of which each two make a triple with a peak
FARTHEST_STEPS = 63
COMMON = 32  # a hash found more often tells nothing
LEAST_VOTES = 5  # for one offset between two sounds
FIELD = 2**21  # sounds, and steps of 16 ms, that fit in a third of 63 bits
MIXER = 0x9E3779B97F4A7C15  # 2⁶⁴ over the golden ratio
MOST_HASHES = 2_000_000  # of all sounds together; beyond, the same share of each one's is left out


class Fingerprint(NamedTuple):
    """What tells a sound: its triples of peaks, and when each is heard."""

    hashes: np.ndarray  # (triples,) uint64: five bytes of bins and steps
    steps: np.ndarray  # (triples,) int32: when, in HOP


class Match(NamedTuple):
    """Two sounds that are one recording."""

    first: int  # which sounds, by their place in the sequence
    second: int
    share: float  # of the shorter one's hashes that both have, at one offset
    offset_s: float  # from the second one's start to the first one's: where in `first` the second begins


def fingerprint(audio: np.ndarray) -> Fingerprint:
    """audio: (samples,) 16 kHz."""
    if len(audio) < 2 * WINDOW:
        return Fingerprint(np.zeros(0, np.uint64), np.zeros(0, np.int32))
    _, _, power = spectrogram(audio, SAMPLE_RATE, "hann", WINDOW, WINDOW - HOP, mode="psd")
    level_db = 10 * np.log10(power[1 : HIGHEST_BIN + 1] + 1e-20)
    is_peak = level_db == maximum_filter(level_db, (PEAK_BINS, PEAK_STEPS), mode="nearest")
    steps, bins = np.nonzero((is_peak & (level_db > max(level_db.max() - DEPTH_DB, SILENCE_DB))).T)
    hashes, times = [], []
    for second, third in combinations(range(1, PARTNERS + 1), 2):
        anchors = max(0, len(steps) - third)
        one, two, three = (slice(place, place + anchors) for place in (0, second, third))
        later, latest = steps[two] - steps[one], steps[three] - steps[one]
        near = (later > 0) & (latest <= FARTHEST_STEPS)
        triple = bins[one] << 32 | bins[two] << 24 | bins[three] << 16 | later << 8 | latest
        hashes.append(triple[near])
        times.append(steps[one][near])
    return Fingerprint(np.concatenate(hashes).astype(np.uint64), np.concatenate(times).astype(np.int32))


def same_recordings(prints: Sequence[Fingerprint], least_share: float) -> list[Match]:
    """The pairs of sounds that share at least `least_share` of the shorter one's hashes, the surest first."""
    hashes, steps, owners = _thinned(prints)
    order = np.lexsort((owners, hashes))
    _, kind, counts = np.unique(hashes[order], return_inverse=True, return_counts=True)
    order = order[counts[kind] <= COMMON]
    hashes, steps, owners = hashes[order], steps[order], owners[order]
    ballots = []
    for distance in range(1, COMMON):
        same = np.flatnonzero(hashes[distance:] == hashes[:-distance])
        if not len(same):
            break
        first, second = owners[same], owners[same + distance]
        offset = steps[same] - steps[same + distance] + FIELD // 2
        ballots.append(((first * FIELD + second) * FIELD + offset)[first != second])
    if not ballots:
        return []
    cells, votes = np.unique(np.concatenate(ballots), return_counts=True)
    sizes = np.bincount(owners, minlength=len(prints))
    best: dict[tuple[int, int], Match] = {}
    for cell, count in zip(cells[votes >= LEAST_VOTES].tolist(), votes[votes >= LEAST_VOTES].tolist(), strict=True):
        pair, offset_steps = divmod(cell, FIELD)
        first, second = divmod(pair, FIELD)
        share = min(1.0, count / min(sizes[first], sizes[second]))
        if share > best.get((first, second), Match(first, second, 0.0, 0.0)).share:
            best[first, second] = Match(first, second, float(share), (offset_steps - FIELD // 2) * HOP / SAMPLE_RATE)
    return sorted((match for match in best.values() if match.share >= least_share), key=lambda match: -match.share)


def _thinned(prints: Sequence[Fingerprint]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes, their steps and whose they are, in one, less what MOST_HASHES leaves out (by value, so alike in all)."""
    hashes = np.concatenate([one.hashes for one in prints])
    scattered = (hashes * np.uint64(MIXER)) >> np.uint64(32)  # multiplicative hashing (Knuth): as if drawn by lot
    keep = scattered < round(min(1.0, MOST_HASHES / max(len(hashes), 1)) * 2**32)
    steps = np.concatenate([one.steps for one in prints]).astype(np.int64)
    owners = np.repeat(np.arange(len(prints)), [len(one.hashes) for one in prints])
    return hashes[keep], steps[keep], owners[keep]
