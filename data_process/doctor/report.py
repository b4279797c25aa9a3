"""The doctor's report on a corpus, as lines on the terminal and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from config.files import write_json
from data_process.doctor.findings import drift_ms, is_sure
from data_process.doctor.judgement import LEVELS, Finding, Sides
from data_process.doctor.measure import Measured

SHOWN = 8  # clips of a kind that the terminal names


@dataclass(frozen=True)
class Diagnosis:
    """What was measured on a corpus, and what was found."""

    corpus: Path
    clips: Sequence[Measured]
    sides: Sides
    findings: Sequence[Finding]

    def count(self, level: str) -> int:
        """How many findings are of a level."""
        return sum(finding.level == level for finding in self.findings)

    @property
    def sound_s(self) -> float:
        """Seconds of sound in all clips together."""
        return sum(clip.sound.duration_s for clip in self.clips if clip.sound)

    def durations_s(self, side: str) -> np.ndarray:
        """(clips,) of the sound, else of the curves."""
        parts = [clip.sound or clip.curves for clip in self.clips if self.sides.side(clip.id) == side]
        return np.array([part.duration_s for part in parts if part])

    def headline(self) -> str:
        """How much there is, in a line."""
        frames = sum(clip.curves.frames for clip in self.clips if clip.curves)
        sides = f" ({len(self.clips) - self.val_clips} train, {self.val_clips} val)" if self.val_clips else ""
        return f"{len(self.clips)} clips{sides}, {self.sound_s / 60:.1f} min of sound, {frames:,} frames"

    @property
    def val_clips(self) -> int:
        return sum(self.sides.side(clip.id) == "val" for clip in self.clips)

    def totals(self) -> str:
        """How many findings are of each level, in a line."""
        return ", ".join(f"{self.count(level)} {level}{'s' * (self.count(level) != 1)}" for level in LEVELS)


def terminal_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The findings by level and kind, the worst first; of many clips of a kind the first SHOWN."""
    yield f"{diagnosis.corpus}: {diagnosis.headline()}"
    for (level, kind), group in groupby(diagnosis.findings, key=lambda finding: (finding.level, finding.kind)):
        found = list(group)
        yield ""
        yield f"{level.upper():8} {kind}" + (f": {len(found)} clips" if len(found) > 1 else "")
        for finding in found[:SHOWN]:
            yield f"  {finding.clip or 'corpus'}: {finding.message}"
        if len(found) > SHOWN:
            yield f"  … and {len(found) - SHOWN} more; --json and --html have them all"
        for advice in dict.fromkeys(finding.advice + _fixes(finding) for finding in found[:SHOWN]):
            yield f"    → {advice}"
    yield ""
    yield diagnosis.totals()


def _fixes(finding: Finding) -> str:
    return f" (--fix does: {finding.mend})" if finding.mend else ""


def write_findings(path: Path, diagnosis: Diagnosis) -> None:
    """Write findings and measures as JSON, whole or not at all."""
    content = {
        "corpus": str(diagnosis.corpus),
        "totals": {level: diagnosis.count(level) for level in LEVELS},
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "clips": {clip.id: measures(clip, diagnosis.sides) for clip in diagnosis.clips},
    }
    write_json(path, content)


def measures(clip: Measured, sides: Sides) -> dict[str, object]:
    """A clip's measures as plain numbers; None where one could not be taken."""
    sound, curves = clip.sound, clip.curves
    return {
        "side": sides.side(clip.id),
        "speaker": sides.speakers.get(clip.id),
        "sound_s": sound and round(sound.duration_s, 4),
        "curves_s": curves and round(curves.duration_s, 4),
        "fps": curves and curves.fps,
        "frames": curves and curves.frames,
        "lag_ms": clip.lag and round(clip.lag.ms, 1),
        "lag_correlation": clip.lag and round(clip.lag.correlation, 3),
        "lag_is_sure": is_sure(clip),
        "drift_ms": round(drift_ms(clip), 1) if clip.track else None,
        "speech_s": sound and round(sound.speech_s, 2),
        "speech_to_noise_db": sound and _rounded(sound.speech_to_noise_db, 1),
        **(sound.levels if sound else {}),
        "dropped": curves and curves.dropped,
        "doubled": curves and curves.doubled + curves.repeated,
        "frozen_s": curves and [[round(time, 3) for time in stretch] for stretch in curves.frozen_s],
        "dead": curves and list(curves.dead),
        "saturated": curves and {name: round(share, 4) for name, share in curves.saturated.items()},
        "outside": curves and {name: round(stray, 5) for name, stray in curves.outside.items()},
        "jitter": curves and round(curves.jitter, 5),
        "sway_agreement": curves and _rounded(curves.sway, 3),
        "gaze_agreement": curves and _rounded(curves.gaze, 3),
        "silence_motion": _rounded(clip.silence_motion, 3),
        "video": clip.video and asdict(clip.video),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
