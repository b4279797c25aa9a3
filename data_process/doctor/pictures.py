"""The report's pictures as SVG text, in colours that follow the page's theme."""

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from config.pages import BLUE, FAINT, INK, ORANGE, RED, figure_of, style, svg
from data_process.doctor.findings import DRIFT_CONFIDENCE, LAG_MS, is_sure
from data_process.doctor.judgement import Finding
from data_process.doctor.measure import Measured
from data_process.doctor.report import Diagnosis
from dataset.blendshapes import ARKIT

BLUE_RGB = (0.2, 0.55, 0.85)  # of the lags' likeness, over transparency
BINS = 24


def length_picture(diagnosis: Diagnosis) -> Markup:
    """How long the clips are, of training and validation."""
    sides = {side: lengths for side in ("train", "val") if len(lengths := diagnosis.durations_s(side))}
    longest = max(lengths.max() for lengths in sides.values())
    edges = np.linspace(0, longest * 1.05, BINS + 1)
    figure, axes = figure_of(5.2, 2.6)
    for (side, lengths), colour in zip(sides.items(), (BLUE, ORANGE), strict=False):
        label = f"{side}: {len(lengths)}, median {np.median(lengths):.1f} s" if len(sides) > 1 else None
        shares = np.histogram(lengths, edges)[0] / len(lengths)
        axes.stairs(shares, edges, color=colour, linewidth=1.6, label=label)
        axes.stairs(shares, edges, color=colour, fill=True, alpha=0.25)
    axes.set(xlabel="length (s)", ylabel="share of clips", xlim=(0, edges[-1]), ylim=(0, None))
    if len(sides) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return svg(figure, "lengths")


def lag_picture(diagnosis: Diagnosis) -> Markup:
    """Every clip's lag, and where clean ones lie; hollow where it cannot be told for sure."""
    figure, axes = figure_of(5.2, 2.6)
    axes.axvspan(-LAG_MS.warning, LAG_MS.warning, color=BLUE, alpha=0.1, linewidth=0)
    axes.axvline(0, color=FAINT, linewidth=1)
    told = [clip for clip in diagnosis.clips if clip.lag is not None]
    for sure, face in ((True, BLUE), (False, "none")):
        clips = [clip for clip in told if is_sure(clip) == sure]
        points = np.array([(clip.lag.ms, clip.lag.correlation) for clip in clips if clip.lag]).reshape(-1, 2)
        axes.scatter(points[:, 0], points[:, 1], s=26, facecolor=face, edgecolor=BLUE, alpha=0.85, linewidth=1)
    reach = max(200.0, *(abs(clip.lag.ms) * 1.1 for clip in told if clip.lag)) if told else 200.0
    axes.set(
        xlabel="curves early  ←  lag (ms)  →  curves late", ylabel="correlation", xlim=(-reach, reach), ylim=(0, 1)
    )
    return svg(figure, "lags")


def channel_picture(diagnosis: Diagnosis) -> Markup:
    """How far each channel goes: its mean, and its highest value, over all clips."""
    curves = [clip.curves for clip in diagnosis.clips if clip.curves is not None]
    highest = np.max([one.highest for one in curves], axis=0)
    mean = np.average([one.mean for one in curves], axis=0, weights=[one.frames for one in curves])
    figure, axes = figure_of(10.8, 3.1)
    places = np.arange(len(ARKIT))
    axes.bar(places, highest, width=0.75, color=BLUE, alpha=0.25, label="highest")
    axes.bar(places, mean, width=0.75, color=BLUE, label="mean")
    axes.set_xticks(places, ARKIT, rotation=90, fontsize=7)
    axes.set(ylabel="coefficient", xlim=(-0.7, len(ARKIT) - 0.3), ylim=(0, max(1.0, float(highest.max()))))
    axes.tick_params(axis="x", length=0)
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    return svg(figure, "channels")


def clip_picture(clip: Measured, findings: list[Finding]) -> Markup | None:
    """The voice's energy under the mouth's opening, findings' stretches in red, and below it the lag along the clip."""
    if clip.traces is None:
        return None
    rows = 2 if clip.track else 1
    figure = Figure(figsize=(10.8, 1.9 * rows + 0.3), layout="constrained")
    first, *others = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    _draw_traces(first, clip, [stretch for finding in findings for stretch in finding.place_s])
    for axes in others:
        _draw_track(axes, clip)
    (others or [first])[-1].set_xlabel("time (s)")
    for axes in (first, *others):
        style(axes)
    return svg(figure, f"clip {clip.id}")


def _draw_traces(axes: Axes, clip: Measured, stretches: list[tuple[float, float]]) -> None:
    traces = clip.traces
    assert traces is not None
    energy = traces.energy_db / max(float(traces.energy_db.max()), 1e-6)
    opening = traces.opening / max(float(traces.opening.max()), 1e-6)
    axes.fill_between(traces.sound_s, energy, color=FAINT, alpha=0.55, linewidth=0, label="voice's energy")
    axes.plot(traces.curves_s, opening, color=BLUE, linewidth=1.1, label="mouth's opening")
    for start, end in stretches:
        axes.axvspan(start, end, color=RED, alpha=0.25, linewidth=0)
    end_s = max(float(traces.sound_s[-1]), float(traces.curves_s[-1]), 0.1)
    axes.set(xlim=(0, end_s), ylim=(0, 1.05), yticks=[], ylabel="of the highest")
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)


def _draw_track(axes: Axes, clip: Measured) -> None:
    track = clip.track
    assert track is not None
    likeness = np.empty((*track.correlation.T.shape, 4))
    likeness[..., :3] = BLUE_RGB
    likeness[..., 3] = track.correlation.T.clip(0, 1) ** 1.5
    half_s = (track.times_s[1] - track.times_s[0]) / 2
    extent = (track.times_s[0] - half_s, track.times_s[-1] + half_s, track.lags_ms[0], track.lags_ms[-1])
    axes.imshow(likeness, aspect="auto", origin="lower", extent=extent, interpolation="nearest")
    sure = track.confidence >= DRIFT_CONFIDENCE
    axes.plot(track.times_s, np.where(sure, track.path_ms, np.nan), color=ORANGE, linewidth=1.8)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set(ylabel="lag (ms)")
