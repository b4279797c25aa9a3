"""The viewer's page: what it holds, and what a real browser makes of it."""

import base64
import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from scipy.ndimage import median_filter

from config.errors import UserError
from dataset.audio import to_int16
from dataset.blendshapes import ARKIT, EYE, FACE, write_columns, write_curves
from dataset.recordings.layouts import read_recording
from dataset.transcript import Word, write_tsv
from postprocess.face.gltf import write_head
from postprocess.face.heads import read_head
from postprocess.face.mesh import Head, Mesh, Part
from postprocess.life.enlivener import HEAD
from postprocess.viewer import live_page, talk_page
from postprocess.viewer.bundle import ARRAYS, packed
from postprocess.viewer.geometry import head_arrays
from postprocess.viewer.showing import labels_of, read_takes, target_of
from postprocess.viewer.viewer_page import SCRIPTS, TEMPLATE
from scripts import view as script
from tests.heads import posed

FPS, FRAMES, OPEN = 30.0, 91, 60  # the target's mouth is shut until frame 60, then wide open
RATE_HZ = 16_000
JAW, SMILE = ARKIT.index("JawOpen"), ARKIT.index("MouthSmileLeft")
NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def plate(name: str, width: float, height: float, depth: float, colour: float, **offsets: Any) -> Part:
    """A rectangle that faces +z, as a grid of 6 × 6 vertices."""
    x, y = np.meshgrid(np.linspace(-width, width, 6), np.linspace(-height, height, 6))
    vertices = np.stack([x, y, np.full_like(x, depth)], axis=-1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(5)[:, None] * 6 + np.arange(5)).ravel()[:, None]
    triangles = np.concatenate([corner + np.array(face) for face in ((0, 1, 7), (0, 7, 6))]).astype(np.int32)
    moved = {shape: (vertices * scale).astype(np.float32) for shape, scale in offsets.items()}
    return Part(name, vertices, triangles, np.full((36, 3), colour, np.float32), 0.6, moved)


def plain_head() -> Head:
    """A pale plate with a dark slit that JawOpen makes ten times as high, MouthSmileLeft twice as wide."""
    mouth = plate(
        "mouth", 0.03, 0.004, 0.01, 0.01, JawOpen=(0, 9, 0), MouthSmileLeft=(1, 0, 0), MouthSmileRight=(1, 0, 0)
    )
    return Head((plate("face", 0.08, 0.1, 0, 0.7), mouth))


def target_curves() -> np.ndarray:
    curves = np.random.default_rng(0).random((FRAMES, 52)).round(6) * 0.01
    curves[:, JAW] = np.arange(FRAMES) >= OPEN
    return curves


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with head.glb, target.csv, prediction.csv (a mouth that never opens), a.wav and a.tsv: three seconds."""
    folder = tmp_path_factory.mktemp("clip")
    write_head(folder / "head.glb", plain_head())
    write_curves(folder / "target.csv", target_curves())
    write_curves(folder / "prediction.csv", np.zeros((FRAMES, 52)))
    tone = 0.5 * np.sin(np.arange(3 * RATE_HZ) / 20)
    soundfile.write(folder / "a.wav", tone, RATE_HZ)
    write_tsv(folder / "a.tsv", [Word("你", 0.2, 0.5), Word("好", 0.5, 0.9), Word("hello", 1.9, 2.5)])
    return folder


def arguments(clip: Path, *csvs: str) -> list[object]:
    files = [clip / f"{name}.csv" for name in csvs]
    return ["--csv", *files, "--wav", clip / "a.wav", "--transcript_path", clip / "a.tsv", "--head", clip / "head.glb"]


@pytest.fixture(scope="module")
def pair(clip: Path) -> Path:
    """The page of target and prediction."""
    with pytest.MonkeyPatch.context() as patch:
        words = ["view.py", *map(str, arguments(clip, "target", "prediction")), "--out", str(clip / "pair.html")]
        patch.setattr("sys.argv", words)
        script.main()
    return clip / "pair.html"


def tongueless(path: Path, frames: int, fps: float) -> None:
    """What MediaPipe's users write: no TongueOut, a time column. JawOpen rises by 1 a second."""
    rows: list[list[object]] = [["_neutral", "time_s", *ARKIT[:-1]]]
    for time_s in np.arange(frames) / fps:
        rows.append([0, time_s, *(time_s if name == "JawOpen" else 0 for name in ARKIT[:-1])])
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


def content(page: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(what the page says about the clip, its arrays)."""
    text = page.read_text(encoding="utf-8")
    found = dict(re.findall(r'<script id="(about|block)" type="[a-z/]+">(.*?)</script>', text, re.DOTALL))
    about = json.loads(found["about"])
    return about, unpacked(found["block"], about["arrays"])


def unpacked(text: str, places: dict[str, Any]) -> dict[str, np.ndarray]:
    """What `packed` took, each array flat, as bundle.js reads it."""
    block = gzip.decompress(base64.b64decode(text))
    types = {script: name for name, script in ARRAYS.items()}
    return {
        name: np.frombuffer(block, types[place["type"]], place["length"], place["offset"])
        for name, place in places.items()
    }


# What the page holds


def test_every_module_is_on_the_page_after_those_that_it_imports() -> None:
    folder = TEMPLATE.parent
    modules = {file.relative_to(folder).with_suffix("").as_posix(): file for file in folder.rglob("*.js")}
    assert {*SCRIPTS, *live_page.SCRIPTS, *talk_page.SCRIPTS} == set(modules)
    for scripts in (SCRIPTS, live_page.SCRIPTS, talk_page.SCRIPTS):
        for place, name in enumerate(scripts):
            imported = re.findall(r'from "(\.[\w./]+)"', modules[name].read_text(encoding="utf-8"))
            needed = {(modules[name].parent / path).resolve() for path in imported}
            assert needed <= {modules[before].resolve() for before in scripts[:place]}


def test_arrays_come_back_as_they_were() -> None:
    arrays: dict[str, np.ndarray] = {
        "a": np.arange(5, dtype=np.uint8),
        "b": np.array([[1.5, -2]], np.float32),
        "c": np.array([-7], np.int16),
    }
    back = unpacked(*packed(arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array.ravel())
        assert back[name].dtype == array.dtype


def test_the_page_holds_curves_words_and_sound(pair: Path, clip: Path) -> None:
    about, arrays = content(pair)
    assert [take["label"] for take in about["takes"]] == ["target", "prediction"]
    assert (about["target"], about["fps"], about["frames"]) == (0, FPS, FRAMES)
    np.testing.assert_allclose(arrays["curves_0"].reshape(52, FRAMES).T, target_curves(), atol=1e-6)
    assert sorted(name for group in about["groups"] for name in group["names"]) == sorted(ARKIT)
    assert about["words"] == [["你", 0.2, 0.5], ["好", 0.5, 0.9], ["hello", 1.9, 2.5]]
    (clip / "back.flac").write_bytes(arrays["sound"].tobytes())
    sound, rate = soundfile.read(clip / "back.flac", dtype="int16")
    given, _ = soundfile.read(clip / "a.wav", dtype="float32")
    assert (rate, len(sound)) == (RATE_HZ, round(FRAMES / FPS * RATE_HZ))  # silence to the last frame's end
    np.testing.assert_array_equal(sound[: len(given)], to_int16(given))
    assert not sound[len(given) :].any()


def test_the_page_asks_for_nothing(pair: Path) -> None:
    text = re.sub(r'<script id="block".*?</script>', "", pair.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"https?://|@import|url\((?!#)|\bfetch\(|XMLHttpRequest|<link[^>]+href=\"(?!data:)", text)
    assert "default-src 'none'" in text


def test_text_of_a_file_cannot_break_the_page(clip: Path, run_main: Callable[..., None], tmp_path: Path) -> None:
    write_tsv(tmp_path / "a.tsv", [Word("</script><b>", 0, 1)])
    csv = shutil.copy(clip / "target.csv", tmp_path / "<i> & 'a'.csv")
    run_main(script, "--csv", csv, "--head", clip / "head.glb", "--transcript_path", tmp_path / "a.tsv")
    page = tmp_path / "<i> & 'a'.html"
    assert content(page)[0]["words"] == [["</script><b>", 0, 1]]
    assert "<title>&lt;i&gt; &amp; &#39;a&#39;</title>" in page.read_text(encoding="utf-8")


def test_a_head_comes_back_from_its_arrays() -> None:
    rng = np.random.default_rng(0)
    head = plain_head()
    for part in head.parts:
        part.offsets["BrowInnerUp"] = rng.normal(0, 0.01, part.vertices.shape).astype(np.float32)
    arrays = unpacked(*packed(head_arrays(head)))
    for name in head.channels:
        moved = arrays["positions"].reshape(-1, 3).copy()
        moved[arrays[f"moved_{name}"]] += arrays[f"offset_{name}"].reshape(-1, 3) * arrays[f"step_{name}"]
        expected = np.concatenate([posed(part, {name: 1.0}) for part in head.parts])
        np.testing.assert_allclose(moved, expected, atol=2e-6)  # metres
    assert len(arrays["moved_MouthSmileLeft"]) == 36  # the face does not move, and takes no room
    assert arrays["triangles"].max() == 71


def test_vertices_share_a_normal_where_they_stay_together() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]], np.float32)
    opening = np.array([[0, 0, 0], [0, 0, 0], [0, -1, 0], [-0.0, 0, 0], [0, 0, 0]], np.float32)
    part = Part("a", vertices, np.array([[0, 1, 2]]), vertices, offsets={"JawOpen": opening})
    np.testing.assert_array_equal(Mesh.of(Head((part, part))).welded, [0, 1, 2, 0, 1, 5, 6, 7, 5, 6])


def test_takes_of_other_rates_and_lengths_meet_on_the_highest(tmp_path: Path) -> None:
    ramp = np.zeros((31, 52))
    ramp[:, JAW] = np.arange(31) / 30
    write_curves(tmp_path / "a.csv", ramp)
    tongueless(tmp_path / "b.csv", 90, fps=60)
    assert read_recording(tmp_path / "b.csv").fps == 60
    takes, fps = read_takes([tmp_path / "a.csv", tmp_path / "b.csv"], ["a", "b"], FPS)
    assert fps == 60
    assert [take.channels for take in takes] == [ARKIT, ARKIT[:-1]]
    assert [len(take.values) for take in takes] == [62, 90]
    for take in takes:  # both rise by 1 a second
        jaw = take.values[:60, take.channels.index("JawOpen")]
        np.testing.assert_allclose(jaw, np.arange(60) / 60, atol=1e-6)
    assert read_takes([tmp_path / "a.csv"], ["a"], 25)[1] == 25


def test_labels() -> None:
    a, b, c = Path("x/a.csv"), Path("y/a.csv"), Path("y/b.csv")
    assert labels_of([a], None) == ("a",)
    assert labels_of([a, b], None) == ("target", "prediction")
    assert labels_of([a, b, c], None) == ("target", "a", "b")
    assert labels_of([a, a, b], None) == ("target", "x/a", "y/a")
    assert labels_of([a, b], ["old", "new"]) == ("old", "new")
    assert target_of(("target", "prediction")) == 0
    assert target_of(("new", "Target")) == 1
    assert target_of(("old", "new")) is None
    assert target_of(("target",)) is None


def test_the_liveliest_of_the_face_are_drawn_unless_told(
    clip: Path, run_main: Callable[..., None], tmp_path: Path
) -> None:
    out = tmp_path / "a.html"
    run_main(script, *arguments(clip, "target"), "--out", out)
    shown = content(out)[0]["shown"]
    assert len(shown) == 6
    assert "JawOpen" in shown
    assert set(shown) <= set(FACE)
    run_main(script, *arguments(clip, "target"), "--out", out, "--channels", "eye", "jaw_open")
    assert content(out)[0]["shown"] == [*EYE, "JawOpen"]


def test_a_clip_of_another_length_and_a_head_that_lacks_shapes_are_named(
    clip: Path, run_main: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_main(script, *arguments(clip, "target"), "--out", tmp_path / "a.html", "--fps", 20)
    note, head, totals = capsys.readouterr().out.splitlines()
    assert note.endswith("target.csv lasts 4.55 s at 20 fps, " + str(clip / "a.wav") + " 3.00 s: is --fps right?")
    assert head.startswith(f"{clip / 'head.glb'}: does not move for EyeBlinkLeft, ")
    assert totals.startswith("1 head, 4.5 s at 20 fps, ")


def test_bad_input(clip: Path, refusal: Callable[..., str], tmp_path: Path) -> None:
    good = arguments(clip, "target", "prediction")
    assert refusal(script, *good, "--label", "a") == "--label: 1 for 2 csvs; give one each"
    assert refusal(script, *good, "--label", "a", "a") == "--label a a: two are the same"
    assert refusal(script, *good, "--out", "a.mp4") == "--out a.mp4: pages are .html files"
    assert refusal(script, *good, "--fps", "0") == "--fps 0: must be above 0 and at most 240"
    assert "did you mean JawOpen?" in refusal(script, *good, "--channels", "JawOpn")
    assert refusal(script, *good, "--head", tmp_path / "no.glb") == f"{tmp_path / 'no.glb'}: no such file or folder"
    assert refusal(script, "--csv", tmp_path / "no.csv") == f"{tmp_path / 'no.csv'}: No such file or directory"
    tongueless(tmp_path / "mute.csv", 2, fps=60)
    assert refusal(script, "--csv", tmp_path / "mute.csv", "--channels", "TongueOut") == (
        "--channels TongueOut: no csv has any of them"
    )
    write_tsv(tmp_path / "late.tsv", [Word("late", 9, 10)])
    assert "another recording's transcript" in refusal(script, *good, "--transcript_path", tmp_path / "late.tsv")
    assert not list(tmp_path.glob("*.html"))
    with pytest.raises(UserError):
        read_head(tmp_path)


# What a browser makes of it


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page in a window of its own; at the end, no error may have come up and no request have left."""
    contexts: list[Any] = []
    troubles: list[str] = []
    coarse = {"device_scale_factor": 0.5}  # a quarter of the pixels to draw without a GPU

    def note(trouble: str, harmless: bool) -> None:
        if not harmless and "GPU stall" not in trouble:  # a remark of the CPU's WebGL
            troubles.append(trouble)

    def open_page(path: Path, width: int = 620, height: int = 480, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **coarse | options)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(90_000)  # a busy machine draws seldom
        tab.on("console", lambda message: note(message.text, message.type not in ("error", "warning")))
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("request", lambda request: note(request.url, request.url.startswith(("file:", "blob:", "data:"))))
        tab.goto(path.as_uri())
        tab.wait_for_selector(".lane canvas")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def frame_of(tab: Any) -> int:
    return int(re.search(r"frame (\d+)", tab.inner_text("#time"))[1])  # type: ignore[index]


def seek(tab: Any, frame: int) -> None:
    tab.fill("#scrub", str(frame))
    tab.wait_for_function("frame => document.querySelector('#time').innerText.includes(`frame ${frame}`)", arg=frame)


def dark_pixels(tab: Any) -> tuple[int, int]:
    """How many pixels of the left and of the right half of the stage are of the dark mouth."""
    grey = np.asarray(Image.open(BytesIO(tab.screenshot(clip=tab.locator("#heads").bounding_box()))).convert("L"))
    grey = grey[20:-20]  # without what is written over it
    left, right = np.array_split(grey < 60, 2, axis=1)
    return int(left.sum()), int(right.sum())


def test_the_mouth_opens_with_the_curve(pair: Path, opened: Callable[..., Any]) -> None:
    tab = opened(pair)
    seek(tab, OPEN - 1)
    shut = dark_pixels(tab)
    seek(tab, OPEN)
    target, prediction = dark_pixels(tab)
    assert shut[0] > 20
    assert target > 5 * shut[0]
    assert prediction == shut[1]


def test_no_wall_of_the_mouth_shows_through_the_skin(
    opened: Callable[..., Any], run_main: Callable[..., None], tmp_path: Path
) -> None:
    write_curves(tmp_path / "a.csv", 0.15 * np.tile(np.eye(52)[JAW], (4, 1)))
    run_main(script, "--csv", tmp_path / "a.csv", "--fps", 30)
    tab = opened(tmp_path / "a.html", width=1280, height=800, device_scale_factor=1)
    grey = np.asarray(Image.open(BytesIO(tab.screenshot(clip=tab.locator("#heads").bounding_box()))).convert("L"))
    rows, columns = grey.shape
    cheeks = grey[round(0.75 * rows) : round(0.85 * rows)].astype(int)
    for side in (
        slice(round(0.445 * columns), round(0.46 * columns)),
        slice(round(0.542 * columns), round(0.557 * columns)),
    ):
        assert (median_filter(cheeks, 3) - cheeks)[:, side].max() < 15


def test_the_head_turns_as_its_angles_say(
    clip: Path, opened: Callable[..., Any], run_main: Callable[..., None]
) -> None:
    """To its own left, upwards, and to its right shoulder: where its dark mouth and hair go."""
    columns = {name: np.zeros(91) for name in ("JawOpen", *HEAD)}
    columns["JawOpen"] += 1
    for place, name in enumerate(HEAD):
        columns[name][60 + 10 * place : 70 + 10 * place] = 0.35
    rest = {name: np.zeros(91) for name in ARKIT if name != "JawOpen"}
    write_columns(clip / "turning.csv", {**rest, **columns})
    run_main(script, "--csv", clip / "turning.csv", "--out", clip / "turning.html")
    tab = opened(clip / "turning.html")

    def hair_and_mouth(frame: int) -> tuple[np.ndarray, np.ndarray]:
        """The middle of each, right and down in pixels: what is dark above and below the eyes."""
        seek(tab, frame)
        grey = np.asarray(Image.open(BytesIO(tab.screenshot(clip=tab.locator("#heads").bounding_box()))).convert("L"))
        above, below = grey[len(grey) // 6 : len(grey) * 2 // 5], grey[len(grey) * 3 // 5 :]
        return np.argwhere(above < 90).mean(axis=0)[::-1], np.argwhere(below < 50).mean(axis=0)[::-1]

    (hair, mouth), (_, yawed), (_, pitched), (rolled, _) = map(hair_and_mouth, (30, 65, 75, 85))
    assert yawed[0] - mouth[0] > 1 and abs(yawed[1] - mouth[1]) < abs(yawed[0] - mouth[0])
    assert pitched[1] < mouth[1] - 0.5
    assert rolled[0] < hair[0] - 3


def test_of_a_full_body_the_page_opens_on_the_face(clip: Path, opened: Callable[..., Any]) -> None:
    offsets: dict[str, Any] = dict.fromkeys(("JawOpen", "BrowInnerUp"), (0.1, 0.1, 0))
    face = replace(plate("face", 0.1, 0.1, 0, 0.0), colours=np.tile(np.array([0.8, 0, 0], np.float32), (36, 1)))
    moved = plate("face", 0.1, 0.1, 0, 0.0, **offsets).offsets
    body = plate("body", 0.3, 0.7, 0, 0.5)
    body = replace(body, vertices=body.vertices - np.array([0, 0.8, 0], np.float32))
    write_head(clip / "body.glb", Head((replace(face, offsets=moved), body)))
    with pytest.MonkeyPatch.context() as patch:
        words = ["view.py", "--csv", "prediction.csv", "--head", "body.glb", "--out", "body.html"]
        patch.setattr("sys.argv", words)
        patch.chdir(clip)
        script.main()
    tab = opened(clip / "body.html")
    tab.evaluate(NEXT_FRAME)
    shot = Image.open(BytesIO(tab.screenshot(clip=tab.locator("#heads").bounding_box()))).convert("RGB")
    colours = np.asarray(shot).astype(int)
    red = np.any(colours[..., 0] > colours[..., 1] + 60, axis=1).astype(float)
    assert red.mean() > 0.45  # of the stage, a label above it
    assert not red[-1]


def test_it_plays_with_the_sound_and_stops(pair: Path, opened: Callable[..., Any]) -> None:
    tab = opened(pair)
    tab.click("#play")
    tab.wait_for_function("() => Number(document.querySelector('#scrub').value) >= 8")
    assert tab.get_attribute("#play", "aria-label") == "Pause"
    tab.click("#play")
    tab.wait_for_selector("#play[aria-label=Play]")
    stopped = frame_of(tab)
    for _ in range(3):  # however long they take, it would have gone on
        tab.evaluate(NEXT_FRAME)
    assert frame_of(tab) == stopped
    assert 8 <= stopped < FRAMES - 1
    seek(tab, FRAMES - 4)
    tab.keyboard.press(" ")
    tab.wait_for_function("last => Number(document.querySelector('#scrub').value) === last", arg=FRAMES - 1)
    tab.wait_for_selector("#play[aria-label=Play]")


def test_a_click_and_a_drag_land_on_the_frame(pair: Path, opened: Callable[..., Any]) -> None:
    tab = opened(pair, 1000, 900)
    for canvas in ("#wave", ".lane canvas"):
        box = tab.locator(canvas).first.bounding_box()
        across = lambda frame, box=box: box["x"] + box["width"] * (frame + 0.5) / FRAMES  # noqa: E731
        tab.mouse.move(across(20), box["y"] + 30)
        tab.mouse.down()
        tab.wait_for_function("() => document.querySelector('#scrub').value === '20'")
        tab.mouse.move(across(70), box["y"] + 34)
        tab.wait_for_function("() => document.querySelector('#scrub').value === '70'")
        tab.mouse.up()
    box = tab.locator("#playhead").bounding_box()
    wave = tab.locator("#wave").bounding_box()
    assert box["x"] + 1 == pytest.approx(wave["x"] + wave["width"] * 70 / FRAMES, abs=1)
    readings = tab.locator(".lane", has_text="JawOpen").locator(".value").all_inner_texts()
    assert readings == ["1.00", "0.00"]


def test_keys(pair: Path, opened: Callable[..., Any]) -> None:
    tab = opened(pair)
    tab.click("header h1")

    def after(*keys: str) -> int:
        for key in keys:
            tab.keyboard.press(key)
        tab.evaluate(NEXT_FRAME)
        return frame_of(tab)

    assert after("End") == FRAMES - 1
    assert after("Home") == 0
    assert after(".", ".", ".", ",") == 2
    assert after("ArrowRight") == 2 + FPS
    assert after("ArrowLeft", "ArrowLeft") == 0
    after("]")
    assert tab.input_value("#speed") == "1.5"
    after("[", "[")
    assert tab.input_value("#speed") == "0.75"
    after("?")
    assert tab.is_visible("#keys")
    after("Escape")
    assert not tab.is_visible("#keys")
    after("p")
    assert tab.is_visible("#panel-pose")
    after(" ")
    assert tab.get_attribute("#play", "aria-label") == "Pause"
    assert not tab.is_visible("#panel-pose")


def test_a_head_is_posed_by_hand(pair: Path, opened: Callable[..., Any]) -> None:
    tab = opened(pair)
    tab.click("#tab-pose")
    assert tab.inner_text("#labels") == "pose"
    shut = sum(dark_pixels(tab))
    tab.get_by_label("JawOpen", exact=True).fill("1")
    assert sum(dark_pixels(tab)) > 5 * shut
    tab.get_by_label("MouthSmileLeft", exact=True).fill("0.5")
    assert tab.get_by_label("MouthSmileRight", exact=True).input_value() == "0.5"
    tab.uncheck("#mirror")
    tab.get_by_label("MouthSmileLeft", exact=True).fill("0.2")
    assert tab.get_by_label("MouthSmileRight", exact=True).input_value() == "0.5"
    assert tab.get_by_label("TongueOut", exact=True).is_disabled()  # this head has no such shape
    tab.click("#reset")
    assert sum(dark_pixels(tab)) == shut


def test_channels_and_errors(pair: Path, clip: Path, opened: Callable[..., Any], run_main: Callable[..., None]) -> None:
    tab = opened(pair)
    first = tab.locator(".strip").first
    assert first.inner_text().split() == ["JawOpen", f"{31 / 91:.3f}"]
    tab.fill("#filter", "tongue")
    assert tab.locator("#channels label:visible").all_inner_texts() == ["TongueOut\n0.005"]
    tab.check("#channels label:visible input")
    assert tab.locator(".lane .title").all_inner_texts()[-1] == "TongueOut"
    tab.click("#none")
    assert tab.locator(".lane").count() == 0
    run_main(script, *arguments(clip, "target"), "--out", clip / "one.html")
    alone = opened(clip / "one.html")
    assert not alone.is_visible("#errors")
    assert not alone.is_visible("#worst")


def test_day_and_night(pair: Path, opened: Callable[..., Any]) -> None:
    tab = opened(pair, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    night = tab.evaluate(background)
    assert max(map(int, re.findall(r"\d+", night))) < 60
    tab.click("#theme")
    assert min(map(int, re.findall(r"\d+", tab.evaluate(background)))) > 200
    for scheme in ("light", "dark"):  # the system's own change is followed again
        tab.emulate_media(color_scheme=scheme)
        tab.evaluate(NEXT_FRAME)
    assert tab.evaluate(background) == night


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_it_without_scrolling_sideways(width: int, pair: Path, opened: Callable[..., Any]) -> None:
    tab = opened(pair, width, 800, has_touch=True, is_mobile=True)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.click("#tab-pose")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.get_by_label("TongueOut", exact=True).scroll_into_view_if_needed()
    assert tab.locator("#heads").bounding_box()["y"] >= 0  # the head stays in sight of its last slider
