"""The scores as an HTML page: figures at the top, every table, the channels as bars, and the clips' curves.

One file that needs no other (a report), or a folder with every picture as a PNG beside it (plots).
"""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from tqdm import tqdm

from config.files import written_whole
from config.look import FONT_POINTS, font_for, save
from config.pages import svg, write_page
from postprocess.score.evaluation import ClipScores, Scored
from postprocess.score.floors import MEAN_FACE
from postprocess.score.phone_evaluation import PhoneScored
from postprocess.score.score_pictures import PAGE, SLIDE, Style, draw_channels, draw_clip
from postprocess.score.score_tables import phone_rows, remarks, tables

PICTURED = 20  # clips in a report, the worst first: a page of some megabytes still opens at once
PICTURED_CHANNELS = 5  # of each clip, the liveliest
TEMPLATE = Path(__file__).with_suffix(".html")
INDEX, CHANNELS, CLIPS = "index.html", "channels.png", "clips"  # what a folder of plots holds


def write_report(path: Path, scored: Scored | None, phones: PhoneScored | None = None) -> Path:
    """Write the page that needs no other file, whole or not at all, of either or both; returns its path."""
    if scored is None:
        return _write_phone_page(path, phones)
    shown = scored.worst_first[:PICTURED]
    pictures = {clip: svg(_drawn(scored, clip, PAGE), clip) for clip in shown}
    return _write_page(path, scored, svg(_bars(scored, PAGE), "channels"), pictures, phones)


def _write_phone_page(path: Path, phones: PhoneScored | None) -> Path:
    """What there is to show without targets. Raises ValueError for nothing at all."""
    if phones is None:
        raise ValueError("a report needs scores")
    write_page(
        path,
        TEMPLATE,
        title="Scores at the phones",
        heading="Scores at the phones",
        subtitle=f"{_count(phones)}, {phones.frames:,} frames",
        tiles=[],
        tables=[phone_rows(phones)],
        remarks=phones.remarks,
        anchors={},
        bars=None,
    )
    return path


def write_plots(folder: Path, scored: Scored) -> Path:
    """Write every picture as a PNG for slides, and index.html, whose rows lead to them; returns its path."""
    _save(_bars(scored, SLIDE), folder / CHANNELS, f"Channel by channel, mean over {_count(scored)}")
    pictures = {}
    for clip in tqdm(scored.worst_first, "pictured", unit="clip", disable=None, leave=False):
        _save(_drawn(scored, clip, SLIDE), folder / CLIPS / f"{clip}.png", _caption(clip, scored.clips[clip]))
        pictures[clip] = f"{CLIPS}/{clip}.png"
    return _write_page(folder / INDEX, scored, CHANNELS, pictures)


def _bars(scored: Scored, style: Style) -> Figure:
    return draw_channels(scored.mean, scored.ends, scored.floor_means.get(MEAN_FACE), style)


def _drawn(scored: Scored, clip: str, style: Style) -> Figure:
    return draw_clip(scored.curves[clip](), scored.liveliest[:PICTURED_CHANNELS], style)


def _save(figure: Figure, path: Path, title: str) -> None:
    font = font_for(title)
    if not font:  # no installed one has all its characters; a question mark is better than a box
        title = title.encode("ascii", "replace").decode()
    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure.suptitle(title, fontsize=FONT_POINTS + 4, fontproperties=font)
        with written_whole(path) as partial:
            save(figure, partial, format="png", dpi=100)


def _caption(clip: str, scores: ClipScores) -> str:
    jaw, face = scores["channels"]["JawOpen"], scores["groups"]["face"]
    measured = {"contest score": scores["contest"], "r JawOpen": jaw["correlation"], "MAE of the face": face["mae"]}
    return ", ".join([clip, *(f"{name} {value:.3f}" for name, value in measured.items() if value is not None)])


def _count(scored: Scored | PhoneScored) -> str:
    return f"{len(scored.clips)} clip{'s' * (len(scored.clips) > 1)}"


def _write_page(
    path: Path, scored: Scored, bars: str, pictures: Mapping[str, str], phones: PhoneScored | None = None
) -> Path:
    """bars: a picture, as SVG or as the path of a file beside the page; pictures: clip → the same, in order."""
    clips, rates = len(scored.clips), " or ".join(f"{fps:g}" for fps in sorted(set(scored.fps.values())))
    minutes = sum(scores["frames"] / scored.fps[clip] for clip, scores in scored.clips.items()) / 60
    which = f", the worst {len(pictures)} of {clips} clips" if clips > len(pictures) else ", the worst clip first"
    write_page(
        path,
        TEMPLATE,
        title="Scores",
        heading="Scores",
        subtitle=f"{_count(scored)}, {scored.frames:,} frames, {minutes:.1f} min at {rates} frames a second",
        tiles=_tiles(scored.mean),
        tables=[*tables(scored), *([phone_rows(phones)] if phones else [])],
        remarks=[*remarks(scored), *(phones.remarks if phones else [])],
        bars=bars,
        pictures=pictures,
        anchors={clip: f"clip-{clip.replace(' ', '_')}" for clip in pictures},  # an id holds no space
        which=which if clips > 1 else "",
    )
    return path


def _tiles(mean: ClipScores) -> list[tuple[str, str]]:
    """The figures at the top: what each is, and its value as it is written."""
    face, jaw = mean["groups"]["face"], mean["channels"]["JawOpen"]
    shown = [
        ("contest score", mean["contest"], ".3f"),
        ("r of JawOpen", jaw["correlation"], ".2f"),
        ("amplitude of JawOpen ×", jaw["amplitude_ratio"], ".2f"),
        ("MAE of the face", face["mae"], ".4f"),
        ("p b m closed", mean["bilabials_closed"], ".0%"),
        ("lag to the sound (ms)", mean["sound_lag_ms"], "+.0f"),
    ]
    return [(name, format(value, form)) for name, value, form in shown if value is not None]
