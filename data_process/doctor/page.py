"""The doctor's report as one HTML file that needs no other: the findings, the corpus in pictures, the worst clips."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from config import pages
from data_process.doctor.findings import LEVELS, Finding
from data_process.doctor.measure import Measured
from data_process.doctor.pictures import channel_picture, clip_picture, lag_picture, length_picture
from data_process.doctor.report import Report, measures

PICTURED = 30  # clips, the worst first: a page of some megabytes still opens at once
COLUMNS = (
    ("side", "side"), ("sound_s", "sound (s)"), ("curves_s", "curves (s)"), ("fps", "fps"), ("lag_ms", "lag (ms)"),
    ("lag_correlation", "r"), ("drift_ms", "drift (ms)"), ("speech_s", "speech (s)"),
    ("speech_to_noise_db", "speech to noise (dB)"), ("clipped_share", "clipped"), ("hum_db", "hum (dB)"),
    ("dropped", "lost frames"), ("doubled", "doubled"), ("jitter", "jitter"), ("silence_motion", "motion in silence"),
)  # fmt: skip


def write_page(path: Path, report: Report) -> None:
    """Write the page, whole or not at all."""
    from markupsafe import Markup

    body, name = Markup("\n".join(_body(report))), report.corpus.name
    pages.write_page(path, pages.BASE, title=f"{name}: inspection", heading=name, subtitle=report.headline(), body=body)


def _body(report: Report) -> Iterator[str]:
    tiles = (
        f'<div class="tile {level}"><b>{report.count(level)}</b>{_plural(level, report)}</div>' for level in LEVELS
    )
    yield f'<div class="tiles">{"".join(tiles)}</div>'
    yield "<h2>Findings, worst first</h2>"
    yield from _findings(report)
    yield "<h2>The corpus</h2>"
    yield from _corpus(report)
    yield from _clips(report)
    yield "<h2>All clips</h2><div class='card'><details><summary>Every measure</summary>"
    yield from _table(report)
    yield "</details></div>"


def _plural(level: str, report: Report) -> str:
    return level if report.count(level) == 1 else f"{level}s"


def _findings(report: Report) -> Iterator[str]:
    notes = [finding for finding in report.findings if finding.level == "note"]
    worse = [finding for finding in report.findings if finding.level != "note"]
    yield "<div class='card'>"
    yield from _finding_table(worse) if worse else ["No error and no warning."]
    yield "</div>"
    if notes:
        yield f"<div class='card'><details><summary>{len(notes)} notes</summary>"
        yield from _finding_table(notes)
        yield "</details></div>"


def _finding_table(findings: list[Finding]) -> Iterator[str]:
    yield "<table><tr><th></th><th>clip</th><th>what</th><th>what to do</th></tr>"
    for finding in findings:
        mend = f' <span class="mend">--fix: {finding.mend}</span>' if finding.mend else ""
        yield (
            f'<tr><td><span class="pill {finding.level}">{escape(finding.kind)}</span></td>'
            f'<td class="clip">{escape(finding.clip) or "corpus"}</td><td>{escape(finding.message)}</td>'
            f'<td class="soft">{escape(finding.advice)}{mend}</td></tr>'
        )
    yield "</table>"


def _corpus(report: Report) -> Iterator[str]:
    yield "<div class='pair'>"
    if any(clip.sound or clip.curves for clip in report.clips):
        yield f"<div class='card'><h3>How long the clips are</h3>{length_picture(report)}</div>"
    if any(clip.lag for clip in report.clips):
        yield f"<div class='card'><h3>Curves against sound</h3>{lag_picture(report)}</div>"
    yield "</div>"
    if any(clip.curves for clip in report.clips):
        yield f"<div class='card'><h3>How far each channel goes</h3>{channel_picture(report)}</div>"


def _clips(report: Report) -> Iterator[str]:
    by_clip: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.clip and finding.level != "note":
            by_clip.setdefault(finding.clip, []).append(finding)
    clips = {clip.id: clip for clip in report.clips}
    worst = [(clips[clip_id], findings) for clip_id, findings in by_clip.items()]
    pictures = [(clip, findings, clip_picture(clip, findings)) for clip, findings in worst[:PICTURED]]
    if not any(picture for _, _, picture in pictures):
        return
    more = f", {PICTURED} of {len(worst)}" if len(worst) > PICTURED else ""
    yield f"<h2>Clips with errors and warnings{more}</h2>"
    for clip, findings, picture in pictures:
        yield f"<div class='card'><h3>{escape(clip.id)}</h3>{_messages(findings)}{picture or ''}</div>"


def _messages(findings: list[Finding]) -> str:
    return "".join(
        f'<p><span class="pill {finding.level}">{escape(finding.kind)}</span> {escape(finding.message)}</p>'
        for finding in findings
    )


def _table(report: Report) -> Iterator[str]:
    heads = "".join(f"<th>{escape(head)}</th>" for _, head in COLUMNS)
    yield f"<table class='wide number'><tr><th>clip</th>{heads}</tr>"
    for clip in report.clips:
        yield f"<tr><td>{escape(clip.id)}</td>{_cells(clip, report)}</tr>"
    yield "</table>"


def _cells(clip: Measured, report: Report) -> str:
    values = measures(clip, report.split)
    return "".join(f"<td>{_shown(values.get(name))}</td>" for name, _ in COLUMNS)


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, int | float) else escape(str(value))
