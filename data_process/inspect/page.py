"""The doctor's report as one HTML file that needs no other: the findings, the corpus in pictures, the worst clips."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from data_process.inspect.findings import LEVELS, Finding
from data_process.inspect.measure import Measured
from data_process.inspect.pictures import channel_picture, clip_picture, lag_picture, length_picture
from data_process.inspect.report import Report, measures
from dataset.files import written_whole

PICTURED = 30  # clips, the worst first: a page of some megabytes still opens at once
COLUMNS = (
    ("side", "side"), ("sound_s", "sound (s)"), ("curves_s", "curves (s)"), ("fps", "fps"), ("lag_ms", "lag (ms)"),
    ("lag_correlation", "r"), ("drift_ms", "drift (ms)"), ("speech_s", "speech (s)"),
    ("speech_to_noise_db", "speech to noise (dB)"), ("clipped_share", "clipped"), ("hum_db", "hum (dB)"),
    ("dropped", "lost frames"), ("doubled", "doubled"), ("jitter", "jitter"), ("silence_motion", "motion in silence"),
)  # fmt: skip

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1d2430; --soft: #5c6675; --faint: #c4cad3;
  --line: #e4e7ec; --blue: #0a6ebd; --orange: #c75a00; --red: #c62f2f; --error: #c62f2f; --warning: #a86400;
  --note: #4a6a8a; }
@media (prefers-color-scheme: dark) { :root { --page: #12151a; --card: #1a1f27; --ink: #e3e8ef; --soft: #98a3b3;
  --faint: #4a5463; --line: #2a313c; --blue: #58aef0; --orange: #f2994a; --red: #f06a6a; --error: #f06a6a;
  --warning: #e5b04c; --note: #8fb3d9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 20px 80px; }
h1 { font-size: 26px; margin: 0; letter-spacing: -0.01em; } h2 { font-size: 18px; margin: 44px 0 14px; }
.soft { color: var(--soft); } .number { font-variant-numeric: tabular-nums; }
.tiles { display: flex; gap: 12px; margin: 24px 0 0; flex-wrap: wrap; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 20px; min-width: 128px; } .tile b { display: block; font-size: 28px; line-height: 1.2; }
.card { padding: 14px 18px; margin: 0 0 14px; overflow-x: auto; } .pair { display: flex; gap: 14px; flex-wrap: wrap; }
.pair .card { flex: 1 1 420px; } .card h3 { margin: 0 0 6px; font-size: 15px; } .card p { margin: 2px 0; }
svg { max-width: 100%; height: auto; display: block; } svg text { font-family: inherit !important; }
table { border-collapse: collapse; width: 100%; } .wide { font-size: 13px; white-space: nowrap; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; } td.clip { overflow-wrap: anywhere; min-width: 148px; font-weight: 500; }
details table { margin-top: 10px; }
.pill { display: inline-block; font-size: 12px; font-weight: 600; padding: 0 9px; border-radius: 99px;
  border: 1px solid currentColor; white-space: nowrap; }
.error { color: var(--error); } .warning { color: var(--warning); } .note { color: var(--note); }
.mend { font-size: 12px; color: var(--blue); white-space: nowrap; } summary { cursor: pointer; color: var(--soft); }
"""


def write_page(path: Path, report: Report) -> None:
    """Write the page, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text("\n".join(page_lines(report)), encoding="utf-8")


def page_lines(report: Report) -> Iterator[str]:
    title = escape(f"{report.corpus.name}: inspection")
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{STYLE}</style></head><body><main>"
    yield f"<h1>{escape(report.corpus.name)}</h1><div class='soft'>{escape(report.headline())}</div>"
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
    yield "</details></div></main></body></html>"


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
