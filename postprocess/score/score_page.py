"""The scores as an HTML page: figures at the top, every table, the channels as bars, and the clips' curves.

One file that needs no other (a report), or a folder with every picture as a PNG beside it (plots).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from config.files import written_whole
from config.look import FONT_POINTS, font_for
from config.pages import svg, write_page
from postprocess.score.metrics import Scores
from postprocess.score.score_pictures import PAGE, SLIDE, Curves, draw_channels, draw_clip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURED = 20  # clips in a report, the worst first: a page of some megabytes still opens at once
TEMPLATE = Path(__file__).with_suffix(".html")
INDEX, CHANNELS, CLIPS = "index.html", "channels.png", "clips"  # what a folder of plots holds

MEAN_FACE = "mean face"

Rows = list[list[str]]


class Scored(NamedTuple):
    """What an evaluation found."""

    clips: dict[str, Scores]
    mean: Scores
    ends: Scores  # the intervals of the means
    floors: dict[str, Scores]  # each one's mean
    tables: Sequence[Rows]  # what the screen shows; a row of a clip begins with its id
    remarks: Sequence[str]
    channels: Sequence[str]  # those to picture, clip by clip
    fps: float
    curves: Mapping[str, Callable[[], Curves]]  # what reads those of a clip

    @property
    def worst_first(self) -> list[str]:
        return sorted(self.clips, key=lambda clip: -self.clips[clip]["contest_per_step"])


def write_report(path: Path, scored: Scored) -> None:
    """Write the page that needs no other file, whole or not at all."""
    shown = scored.worst_first[:PICTURED]
    bars = svg(draw_channels(scored.mean, scored.ends, scored.floors.get(MEAN_FACE), PAGE), "channels")
    pictures = {clip: svg(draw_clip(scored.curves[clip](), scored.channels, scored.fps, PAGE), clip) for clip in shown}
    _write_page(path, scored, bars, pictures)


def write_plots(folder: Path, scored: Scored) -> None:
    """Write every picture as a PNG for slides, and index.html, whose rows lead to them."""
    from tqdm import tqdm

    bars = draw_channels(scored.mean, scored.ends, scored.floors.get(MEAN_FACE), SLIDE)
    _save(bars, folder / CHANNELS, f"Channel by channel, mean over {_count(scored)}")
    pictures = {}
    for clip in tqdm(scored.worst_first, "pictured", unit="clip", disable=None, leave=False):
        figure = draw_clip(scored.curves[clip](), scored.channels, scored.fps, SLIDE)
        _save(figure, folder / CLIPS / f"{clip}.png", _caption(clip, scored.clips[clip]))
        pictures[clip] = f"{CLIPS}/{clip}.png"
    _write_page(folder / INDEX, scored, CHANNELS, pictures)


def _save(figure: "Figure", path: Path, title: str) -> None:
    import matplotlib

    font = font_for(title)
    if not font:  # no installed one has all its characters; a question mark is better than a box
        title = title.encode("ascii", "replace").decode()
    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure.suptitle(title, fontsize=FONT_POINTS + 4, fontproperties=font)
        with written_whole(path) as partial:
            figure.savefig(partial, format="png", dpi=100)


def _caption(clip: str, scores: Scores) -> str:
    jaw, face = scores["channels"]["JawOpen"], scores["groups"]["face"]
    measured = {"contest score": scores["contest"], "r JawOpen": jaw["correlation"], "MAE of the face": face["mae"]}
    return ", ".join([clip, *(f"{name} {value:.3f}" for name, value in measured.items() if value is not None)])


def _count(scored: Scored) -> str:
    return f"{len(scored.clips)} clip{'s' * (len(scored.clips) > 1)}"


def _write_page(path: Path, scored: Scored, bars: str, pictures: Mapping[str, str]) -> None:
    """bars: a picture, as SVG or as the path of a file beside the page; pictures: clip → the same, in order."""
    frames, fps, clips = sum(scores["frames"] for scores in scored.clips.values()), scored.fps, len(scored.clips)
    which = f", the worst {len(pictures)} of {clips} clips" if clips > len(pictures) else ", the worst clip first"
    write_page(
        path,
        TEMPLATE,
        title="Scores",
        heading="Scores",
        subtitle=f"{_count(scored)}, {frames:,} frames, {frames / fps / 60:.1f} min at {fps:g} frames a second",
        tiles=_tiles(scored.mean),
        tables=scored.tables,
        remarks=scored.remarks,
        bars=bars,
        pictures=pictures,
        anchors={clip: f"clip-{clip.replace(' ', '_')}" for clip in pictures},  # an id holds no space
        which=which if clips > 1 else "",
    )


def _tiles(mean: Scores) -> list[tuple[str, str]]:
    """The figures at the top: what each is, and its value as it is written."""
    face, jaw = mean["groups"]["face"], mean["channels"]["JawOpen"]
    shown = [
        ("contest score", mean["contest"], ".3f"),
        ("r of JawOpen", jaw["correlation"], ".2f"),
        ("amplitude of JawOpen ×", jaw["amplitude_ratio"], ".2f"),
        ("MAE of the face", face["mae"], ".4f"),
        ("p b m closed", mean.get("bilabials_closed"), ".0%"),
        ("lag to the sound (ms)", mean.get("sound_lag_ms"), "+.0f"),
    ]
    return [(name, format(value, form)) for name, value, form in shown if value is not None]
