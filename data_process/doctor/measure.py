"""What is measured on a clip of a corpus, before anything is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import UserError, as_user_error
from config.units import SAMPLE_RATE
from data_process.doctor.curve_checks import (
    dead_channels,
    frozen_stretches,
    jitter,
    motion_in_silence,
    outside_channels,
    repeated_rows,
    resting_values,
    saturated_channels,
)
from data_process.doctor.fingerprint import Fingerprint, fingerprint
from data_process.doctor.side_checks import asymmetry, gaze_agreement, is_mirrored, sway_agreement
from data_process.doctor.sound_checks import sound_report
from data_process.energy import PAUSE_MARGIN_S, inside, speech_stretches
from data_process.video.measures import ClipMeasures, as_clip_measures
from dataset.audio import read_audio
from dataset.blendshapes import ARKIT, read_csv
from dataset.corpus import ClipFiles
from dataset.recordings.layouts import read_recording
from dataset.recordings.recording import Recording
from dataset.sync import Lag, LagTrack, lag, lag_track, mouth_opening, voice_energy
from dataset.transcript import check_within, read_tsv

PICTURE_POINTS = 1200


@dataclass(frozen=True)
class Traces:
    """What a picture of the clip shows, (points,) each."""

    sound_s: np.ndarray
    energy_db: np.ndarray
    curves_s: np.ndarray
    opening: np.ndarray


@dataclass(frozen=True)
class SoundMeasures:
    """What is measured on a clip's sound."""

    duration_s: float
    levels: dict[str, float]  # of data_process.doctor.sound_checks
    speech_s: float
    speech_to_noise_db: float | None  # None without a pause
    print: Fingerprint
    silence: str = ""  # why there is no speech, if there is none


@dataclass(frozen=True)
class CurveMeasures:
    """Times in seconds, channels by ARKIT's names."""

    duration_s: float
    fps: float
    frames: int
    recorded: int  # frames, before prepare resampled them
    dropped: int  # by its times
    doubled: int
    repeated: int  # rows that look doubled
    frozen_s: list[tuple[float, float]]
    dead: tuple[str, ...]
    saturated: dict[str, float]
    outside: dict[str, float]
    resting: dict[str, float]
    jitter: float
    mean: np.ndarray  # (52,)
    highest: np.ndarray  # (52,)
    asymmetry: np.ndarray  # (pairs,)
    mirrored: bool
    sway: float | None
    gaze: float | None
    neutral: dict[str, float]  # of the neutral pose, where there is one


@dataclass(frozen=True)
class Measured:
    """A clip with what could be measured; `unreadable` holds the lines on what could not."""

    files: ClipFiles
    unreadable: tuple[str, ...] = ()
    sound: SoundMeasures | None = None
    curves: CurveMeasures | None = None
    lag: Lag | None = None
    track: LagTrack | None = None
    silence_motion: float | None = None
    traces: Traces | None = None
    video: ClipMeasures | None = None  # where the clip came out of one

    @property
    def id(self) -> str:
        return self.files.id


@dataclass
class _Reader:
    """Runs readers, keeping the line of each that fails."""

    failures: list[str] = field(default_factory=list)

    def __call__(self, function, *arguments):  # type: ignore[no-untyped-def]
        try:
            return function(*arguments)
        except Exception as error:  # one bad file of a clip must not hide the others
            self.failures.append(str(as_user_error(arguments[0], error)))
            return None


def measure(files: ClipFiles, fps: float, prepared: Mapping[str, Mapping[str, Any]] | None = None) -> Measured:
    """Everything about one clip.

    fps: the rate of curves whose file does not tell it. prepared: what prepare found in the clip's raw files, which
    resampling hides.
    """
    prepared = prepared or {}
    read = _Reader()
    audio = read(read_audio, files.wav) if files.wav else None
    recording = read(read_recording, files.bs) if files.bs else None
    neutral = read(read_csv, files.neutral) if files.neutral else None
    if files.tsv and audio is not None:
        read(_check_transcript, files.tsv, len(audio) / SAMPLE_RATE)
    sound = curves = None
    stretches = np.zeros((0, 2))
    if audio is not None:
        sound, stretches = measure_sound(audio)
        told = prepared.get("wav", {})  # resampling bends what was cut off
        sound = replace(sound, levels={name: told.get(name, level) for name, level in sound.levels.items()})
    if recording is not None:
        rate = recording.fps or fps
        if "video" in prepared:
            neutral = None  # its curves are already without
        pose = dict(zip(neutral.names, neutral.values.mean(axis=0).tolist(), strict=True)) if neutral else {}
        spoken = speech_frames(stretches, recording.frames, rate) if audio is not None else None
        curves = measure_curves(recording, rate, spoken, pose)
        if raw := prepared.get("bs"):
            names = {"recorded": "source_frames", "dropped": "dropped_frames", "doubled": "doubled_frames"}
            curves = replace(curves, **{name: raw.get(key, getattr(curves, name)) for name, key in names.items()})
    measured = Measured(files, tuple(read.failures), sound, curves, video=as_clip_measures(prepared.get("video")))
    if audio is None or recording is None:
        return measured
    values = recording.at_rate(rate).curves() if recording.times_s is not None else recording.curves()
    return replace(measured, **_together(audio, values, rate, stretches))


def _check_transcript(path: Path, duration_s: float) -> None:
    check_within(path, read_tsv(path), duration_s)


def measure_sound(audio: np.ndarray) -> tuple[SoundMeasures, np.ndarray]:
    """(samples,) 16 kHz → its measures, and the stretches of speech (stretches, 2) in seconds."""
    duration_s, levels, prints = len(audio) / SAMPLE_RATE, sound_report(audio), fingerprint(audio)
    try:
        stretches = speech_stretches(audio)
    except UserError as reason:
        return SoundMeasures(duration_s, levels, 0.0, None, prints, str(reason)), np.zeros((0, 2))
    speech_s = float(np.diff(stretches).sum())
    return SoundMeasures(duration_s, levels, speech_s, speech_to_noise_db(audio, stretches), prints), stretches


def speech_to_noise_db(audio: np.ndarray, stretches: np.ndarray) -> float | None:
    """Level of the stretches of speech over that of the pauses, in dB; None where less than half a second is pause.

    audio: (samples,) at 16 kHz. stretches: (n, 2), where each begins and ends in seconds.
    """
    sample = np.arange(len(audio)) / SAMPLE_RATE
    spoken = inside(sample, stretches, 0.0)
    pause = ~inside(sample, stretches, 0.05)
    if pause.sum() < SAMPLE_RATE / 2 or not spoken.any():
        return None
    power = np.square(audio - audio.mean(), dtype=np.float64)
    return float(10 * np.log10(power[spoken].mean() / max(power[pause].mean(), 1e-12)))


def measure_curves(
    recording: Recording, fps: float, is_speech: np.ndarray | None, neutral: dict[str, float]
) -> CurveMeasures:
    """is_speech: (frames,) bool, None without sound; neutral: the neutral pose by channel, {} without one."""
    curves = recording.curves()
    frozen = frozen_stretches(curves, is_speech, fps) / fps
    return CurveMeasures(
        duration_s=recording.duration_s or len(curves) / fps,
        fps=fps,
        frames=len(curves),
        recorded=len(curves),
        dropped=int(recording.dropped_before.sum()),
        doubled=len(recording.doubled_rows),
        repeated=len(repeated_rows(curves)),
        frozen_s=[(float(start), float(end)) for start, end in frozen],
        dead=dead_channels(curves),
        saturated=saturated_channels(curves),
        outside=outside_channels(curves),
        resting=resting_values(curves),
        jitter=jitter(curves, fps),
        mean=curves.mean(axis=0),
        highest=curves.max(axis=0),
        asymmetry=asymmetry(curves),
        mirrored=is_mirrored(curves),
        sway=sway_agreement(curves),
        gaze=gaze_agreement(curves, recording.angles),
        neutral={name: value for name, value in neutral.items() if name in ARKIT},
    )


def _together(audio: np.ndarray, curves: np.ndarray, fps: float, stretches: np.ndarray) -> dict[str, Any]:
    opening, energy = mouth_opening(curves), voice_energy(audio)
    frame = np.arange(len(curves)) / fps
    spoken = inside(frame, stretches, 0.0)
    silent = ~inside(frame, stretches, PAUSE_MARGIN_S) & (frame < len(audio) / SAMPLE_RATE)
    return {
        "lag": lag(curves, audio, fps),
        "track": lag_track(curves, audio, fps),
        "silence_motion": motion_in_silence(opening, silent, spoken),
        "traces": Traces(*_thinned(energy, 100.0), *_thinned(opening, fps)),
    }


def speech_frames(stretches: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """(frames,) bool: those that stand in a stretch of speech."""
    return inside(np.arange(frames) / fps, stretches, 0.0)


def _thinned(values: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and the highest value of each of at most PICTURE_POINTS parts, float32."""
    starts = np.unique(np.linspace(0, len(values), PICTURE_POINTS, endpoint=False).astype(int))
    return (starts / rate).astype(np.float32), np.maximum.reduceat(values, starts).astype(np.float32)
