"""The diagnosis as one HTML file that needs no other: the findings, the corpus in pictures, the worst clips."""

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from config.pages import write_page
from data_process.doctor.judgement import LEVELS, Finding
from data_process.doctor.pictures import channel_picture, clip_picture, lag_picture, length_picture
from data_process.doctor.report import Diagnosis, measures

TEMPLATE = Path(__file__).with_suffix(".html")
PICTURED = 30  # clips, the worst first: a page of some megabytes still opens at once
COLUMNS = {
    "side": "side", "sound_s": "sound (s)", "curves_s": "curves (s)", "fps": "fps", "lag_ms": "lag (ms)",
    "lag_correlation": "r", "drift_ms": "drift (ms)", "speech_s": "speech (s)",
    "speech_to_noise_db": "speech to noise (dB)", "clipped_share": "clipped", "hum_db": "hum (dB)",
    "dropped": "lost frames", "doubled": "doubled", "jitter": "jitter", "silence_motion": "motion in silence",
}  # fmt: skip


def write_diagnosis_page(path: Path, diagnosis: Diagnosis) -> None:
    """Write the page, whole or not at all."""
    clips, name = diagnosis.clips, diagnosis.corpus.name
    by_clip = _findings_by_clip(diagnosis)
    write_page(
        path,
        TEMPLATE,
        title=f"{name}: inspection",
        heading=name,
        subtitle=diagnosis.headline(),
        counts={level: diagnosis.count(level) for level in LEVELS},
        notes=[finding for finding in diagnosis.findings if finding.level == "note"],
        worse=[finding for finding in diagnosis.findings if finding.level != "note"],
        lengths=any(clip.sound or clip.curves for clip in clips) and length_picture(diagnosis),
        lags=any(clip.lag for clip in clips) and lag_picture(diagnosis),
        channels=any(clip.curves for clip in clips) and channel_picture(diagnosis),
        pictured=_pictured(diagnosis, by_clip),
        which=f", {PICTURED} of {len(by_clip)}" if len(by_clip) > PICTURED else "",
        heads=COLUMNS.values(),
        rows={clip.id: _cells(measures(clip, diagnosis.sides)) for clip in clips},
    )


def _findings_by_clip(diagnosis: Diagnosis) -> dict[str, list[Finding]]:
    """The errors and warnings of each clip that has any, the worst first."""
    by_clip: dict[str, list[Finding]] = {}
    for finding in diagnosis.findings:
        if finding.clip and finding.level != "note":
            by_clip.setdefault(finding.clip, []).append(finding)
    return by_clip


def _pictured(
    diagnosis: Diagnosis, by_clip: Mapping[str, list[Finding]]
) -> list[tuple[str, list[Finding], Markup | None]]:
    """The worst clips with their findings and pictures; none where no clip has both sound and curves to draw."""
    clips = {clip.id: clip for clip in diagnosis.clips}
    shown = list(by_clip.items())[:PICTURED]
    worst = [(clip, findings, clip_picture(clips[clip], findings)) for clip, findings in shown]
    return worst if any(picture for _, _, picture in worst) else []


def _cells(values: Mapping[str, object]) -> list[str]:
    return [_shown(values.get(name)) for name in COLUMNS]


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
