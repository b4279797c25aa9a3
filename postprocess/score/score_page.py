"""The scores as an HTML page: figures at the top, every table, the channels as bars, and the clips' curves.

One file that needs no other (a report), or a folder with every picture as a PNG beside it (plots).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from config.files import written_whole
from config.look import FONT_POINTS, font_for
from config.web_page import page, svg
from postprocess.score.metrics import Scores
from postprocess.score.score_pictures import PAGE, SLIDE, Curves, draw_channels, draw_clip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURED = 20  # clips in a report, the worst first: a page of some megabytes still opens at once
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
        pictures[clip] = _image(f"{CLIPS}/{quote(clip)}.png", clip)
    _write_page(folder / INDEX, scored, _image(CHANNELS, "channels"), pictures)


def _save(figure: "Figure", path: Path, title: str) -> None:
    import matplotlib

    font = font_for(title)
    if not font:  # no installed one has all its characters; a question mark is better than a box
        title = title.encode("ascii", "replace").decode()
    with matplotlib.rc_context({"font.size": FONT_POINTS, "font.family": "DejaVu Sans"}):
        figure.suptitle(title, fontsize=FONT_POINTS + 4, fontproperties=font)
        with written_whole(path) as partial:
            figure.savefig(partial, format="png", dpi=100)


def _image(source: str, name: str) -> str:
    return f'<a href="{source}"><img src="{source}" alt="{escape(name)}" loading="lazy"></a>'


def _caption(clip: str, scores: Scores) -> str:
    jaw, face = scores["channels"]["JawOpen"], scores["groups"]["face"]
    measured = {"contest score": scores["contest"], "r JawOpen": jaw["correlation"], "MAE of the face": face["mae"]}
    return ", ".join([clip, *(f"{name} {value:.3f}" for name, value in measured.items() if value is not None)])


def _count(scored: Scored) -> str:
    return f"{len(scored.clips)} clip{'s' * (len(scored.clips) > 1)}"


def _write_page(path: Path, scored: Scored, bars: str, pictures: Mapping[str, str]) -> None:
    """bars: a picture as HTML; pictures: clip → the same, in the order to show."""
    frames, fps = sum(scores["frames"] for scores in scored.clips.values()), scored.fps
    subtitle = f"{_count(scored)}, {frames:,} frames, {frames / fps / 60:.1f} min at {fps:g} frames a second"
    body = [
        *_tiles(scored.mean),
        *_tables(scored.tables, scored.remarks, pictures.keys()),
        *_bars(bars),
        *_pictures(pictures, len(scored.clips)),
    ]
    with written_whole(path) as partial:
        partial.write_text("\n".join(page("Scores", "Scores", subtitle, body)), encoding="utf-8")


def _tiles(mean: Scores) -> Iterator[str]:
    face, jaw = mean["groups"]["face"], mean["channels"]["JawOpen"]
    shown = [
        ("contest score", mean["contest"], ".3f"),
        ("r of JawOpen", jaw["correlation"], ".2f"),
        ("amplitude of JawOpen ×", jaw["amplitude_ratio"], ".2f"),
        ("MAE of the face", face["mae"], ".4f"),
        ("p b m closed", mean.get("bilabials_closed"), ".0%"),
        ("lag to the sound (ms)", mean.get("sound_lag_ms"), "+.0f"),
    ]
    known = [(name, format(value, form)) for name, value, form in shown if value is not None]
    tiles = (f'<div class="tile"><b>{value}</b>{escape(name)}</div>' for name, value in known)
    yield f'<div class="tiles">{"".join(tiles)}</div>'


def _tables(tables: Sequence[Rows], remarks: Sequence[str], pictured: Iterable[str]) -> Iterator[str]:
    places = {clip: _anchor(clip) for clip in pictured}
    yield "<h2>Scores</h2>"
    for head, *rows in tables:
        yield "<div class='card'><table class='wide number'>"
        yield _row("".join(f"<th>{escape(cell)}</th>" for cell in head))
        for first, *cells in rows:
            numbers = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            name = f'<a href="#{quote(places[first])}">{escape(first)}</a>' if first in places else escape(first)
            yield _row(f"<td class='clip'>{name}</td>{numbers}")
        yield "</table></div>"
    yield from (f"<p class='soft'>{escape(remark)}</p>" for remark in remarks)


def _anchor(clip: str) -> str:
    return f"clip-{clip.replace(' ', '_')}"  # an id holds no space


def _row(cells: str) -> str:
    return f"<tr>{cells}</tr>"


def _bars(picture: str) -> Iterator[str]:
    yield f"<h2>Channels</h2><div class='card'>{picture}"
    yield "<p class='soft'>Those whose target moves, the liveliest on top; mean over clips.</p></div>"


def _pictures(pictures: Mapping[str, str], clips: int) -> Iterator[str]:
    which = f", the worst {len(pictures)} of {clips} clips" if clips > len(pictures) else ", the worst clip first"
    yield f"<h2>Curves{which if clips > 1 else ''}</h2>"
    for clip, picture in pictures.items():
        yield f'<div class="card" id="{escape(_anchor(clip))}"><h3>{escape(clip)}</h3>{picture}</div>'
