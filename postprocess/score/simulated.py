"""What the upper face's rules come to: people who talk or keep silent for an hour, beside the published figures."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from postprocess.life.blinks import INTERVAL_MEDIAN, INTERVAL_SIGMA, RANGES, SILENT, TALKING, Blink, Blinks
from postprocess.life.gaze import AT_S, AWAY_S, DIRECTIONS, FULL, LARGEST_DEG, LARGEST_P, SCALE_DEG, SHIFT_DEG, Gaze
from postprocess.life.prosody import STEP_S
from postprocess.life.seeded import Seeded

PHRASE_S = 2.5  # the mean time from the end of a phrase to the next, in talk


class Hour(NamedTuple):
    """One person's time, in talk or in silence."""

    speaking: bool
    minutes: float
    rate: float  # blinks a minute that the person has
    blinks: list[Blink]
    looks: np.ndarray  # (looks away, 4): seconds at the other one before, degrees, sector of DIRECTIONS, seconds away


def simulated(seed: int, speaking: bool, minutes: float = 60) -> Hour:
    """Blinks that go along with the ends of phrases and with the same person's looks."""
    blinks, gaze = Blinks(Seeded(seed, "hour", "blinks")), Gaze(Seeded(seed, "hour", "gaze"))
    phrases = Seeded(seed, "hour", "phrases")
    blinked: list[Blink] = []
    shifts: list[tuple[float, float, float]] = []
    for step in range(round(60 * minutes / STEP_S)):
        now_s = step * STEP_S
        shift_deg = gaze.step(now_s, speaking)
        if shift_deg:
            shifts.append((now_s, shift_deg, float(np.degrees(np.arctan2(*gaze.goal[::-1])))))
        ends = speaking and phrases.uniform() < STEP_S / PHRASE_S
        blinks.step(now_s, speaking, ends, shift_deg > SHIFT_DEG)
        if blinks.blinks and blinks.blinks[-1] not in blinked[-1:]:
            blinked.append(blinks.blinks[-1])
    rate = (TALKING if speaking else SILENT) * blinks.person
    return Hour(speaking, minutes, rate, blinked, _looks(np.array(shifts)))


def _looks(shifts: np.ndarray) -> np.ndarray:
    """shifts: (shifts, 3) away, back, away …: when, how far, whither."""
    times_s = np.append(0, shifts[:, 0])
    away = np.arange(0, len(shifts) - 1, 2)
    sectors = np.rint(shifts[away, 2] / 45) % 8
    stays_s = np.diff(times_s)
    return np.column_stack([stays_s[away], shifts[away, 1], sectors, stays_s[away + 1]])


def figures(hours: Sequence[Hour]) -> list[list[str]]:
    """A row a figure: its name, as simulated and as published. hours: all in talk or all in silence.

    Distances are Kolmogorov and Smirnov's to the law, of the hour that lies farthest from it and of all together.
    """
    speaking = hours[0].speaking
    low, high = RANGES[TALKING if speaking else SILENT]
    counted = [len(hour.blinks) / hour.minutes for hour in hours]
    blinks = [blink for hour in hours for blink in hour.blinks]
    faster = [100 * (blink.opening_s / blink.closing_s - 1) for blink in blinks]
    sectors = np.concatenate([hour.looks[:, 2] for hour in hours]).astype(int)
    shares = 100 * np.bincount(sectors, minlength=len(DIRECTIONS)) / len(sectors)
    return [
        ["blinks a minute", f"{min(counted):.1f} to {max(counted):.1f}", f"{low:g} to {high:g}"],
        ["blink intervals", _distances([_interval_shares(hour) for hour in hours]), "log-normal"],
        ["closing faster than opening", f"{min(faster):.1f} to {max(faster):.1f} %", "40 to 47 %"],
        ["blinks that do not close", f"{100 * np.mean([blink.size < 1 for blink in blinks]):.0f} %", "about half"],
        ["looks away, degrees", _distances([_amplitude_shares(hour) for hour in hours]), "−6.9 · ln(P / 15.7)"],
        [
            "their directions from 0° on",
            f"{' '.join(f'{share:.1f}' for share in shares)} %",
            f"{' '.join(map(str, DIRECTIONS))} %",
        ],
        *(
            [name, _distances([-np.expm1(-hour.looks[:, column] / mean_s) for hour in hours]), f"mean {mean_s:g} s"]
            for name, column, mean_s in (("seconds at", 0, AT_S[speaking]), ("seconds away", 3, AWAY_S[speaking]))
        ),
    ]


def _interval_shares(hour: Hour) -> np.ndarray:
    from scipy import stats

    law = stats.lognorm(INTERVAL_SIGMA, scale=INTERVAL_MEDIAN * 60 / hour.rate)
    return np.asarray(law.cdf(np.diff([blink.start_s for blink in hour.blinks])))


def _amplitude_shares(hour: Hour) -> np.ndarray:
    least_p = FULL * np.exp(-LARGEST_DEG[hour.speaking] / SCALE_DEG)
    return (LARGEST_P - FULL * np.exp(-hour.looks[:, 1] / SCALE_DEG)) / (LARGEST_P - least_p)


def _distances(hours: Sequence[np.ndarray]) -> str:
    """hours: the law's own shares of each value, evenly in [0, 1] if it is kept."""
    from scipy import stats

    farthest = max(stats.kstest(shares, "uniform").statistic for shares in hours)
    return f"KS {farthest:.3f}, together {stats.kstest(np.concatenate(hours), 'uniform').statistic:.3f}"
