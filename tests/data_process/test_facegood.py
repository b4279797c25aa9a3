"""FACEGOOD's recipe: the mapping on a tiny corpus made here, every mistake as one line, and the real corpus."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import soundfile

from data_process.facegood import ADDED, CURVES, MAPPING, RIG_NAMES, SOUND, convert, read_rig_curves
from dataset.blendshapes import ARKIT, EYE, read_csv
from tests.helpers import FACEGOOD, needs_shared, refused

FUNNEL = ("mouth_funnel_dl", "mouth_funnel_ur")
SPECIAL = {
    "JawOpen": "mouth_stretch_c",
    "MouthFunnel": f"max({','.join(FUNNEL)})",
    "MouthPucker": "mouth_pucker_l",
    "MouthSmileLeft": "mouth_lipCornerPull_l",
    "MouthSmileRight": "mouth_lipCornerPull_r",
    "EyeWideLeft": "max(eye_downLidRaise_l,eye_upLidRaise_l)",  # as the corpus misspells eye_upperLidRaise_l
}
RIG = ("mouth_oh_c", "rest", *FUNNEL, "mouth_oo_c", "mouth_lipCornerPull_r", "mouth_lipCornerPull_l", "mouth_pucker_l",
       "mouth_stretch_c", "eye_upperLidRaise_l", "eye_downLidRaise_l")  # fmt: skip
FRAMES = 6
SAMPLES = 3_300  # 0.206 s, 6.19 frames


def rig_curves(**channels: float) -> np.ndarray:
    rig = np.zeros((FRAMES, len(RIG)))
    for name, value in channels.items():
        rig[3, RIG.index(name)] = value
    return rig


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A corpus of one clip, x_1, laid out as the real one."""
    root = tmp_path / "corpus"
    for folder in (CURVES, SOUND, "doc"):
        (root / folder).mkdir(parents=True)
    np.save(root / RIG_NAMES, np.array(RIG))
    sound = (np.sin(np.arange(SAMPLES) / 9) * 9_000).astype(np.int16)
    soundfile.write(root / SOUND / "x_1.wav", sound, 16_000, subtype="PCM_16")
    (root / "LICENSE").write_text("The MIT License (MIT)")
    book = openpyxl.Workbook()
    book.active.append(["ARKIT", None, "Voice2Face"])
    for name in ARKIT[:-1]:
        book.active.append([name[0].lower() + name[1:], None, SPECIAL.get(name, "rest")])
    book.save(root / MAPPING)
    save_curves(root, rig_curves())
    return root


def save_curves(source: Path, rig: np.ndarray) -> None:
    np.save(source / CURVES / "bs_value_x_1.npy", rig)


def converted(source: Path, rig: np.ndarray) -> dict[str, float]:
    """Frame 3 of the written csv, by name; the other frames are zero."""
    save_curves(source, rig)
    convert(source, source / "out")
    table = read_csv(source / "out" / "bs" / "x_1.csv", required=ARKIT)
    assert table.values.shape == (FRAMES, 52)
    assert not np.delete(table.values, 3, axis=0).any()
    return dict(zip(table.names, table.values[3], strict=True))


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ({"mouth_stretch_c": 0.5}, {"JawOpen": 0.5}),
        ({"mouth_funnel_dl": 0.2, "mouth_funnel_ur": 0.3}, {"MouthFunnel": 0.3}),
        ({"mouth_funnel_dl": 0.2, "mouth_oh_c": 0.6}, {"MouthFunnel": 0.6}),
        ({"mouth_funnel_dl": 0.7, "mouth_oh_c": 0.6}, {"MouthFunnel": 0.7}),
        ({"mouth_pucker_l": 0.1, "mouth_oo_c": 0.4}, {"MouthPucker": 0.4}),
        ({"mouth_pucker_l": 0.5, "mouth_oo_c": 0.4}, {"MouthPucker": 0.5}),
        ({"mouth_lipCornerPull_l": 0.8}, {"MouthSmileLeft": 0.8}),
        ({"mouth_lipCornerPull_r": 0.7}, {"MouthSmileRight": 0.7}),
        ({"eye_upperLidRaise_l": 0.9, "eye_downLidRaise_l": 0.1}, {"EyeWideLeft": 0.9}),
    ],
)
def test_each_blendshape_is_the_largest_of_its_rig_channels(
    source: Path, channels: dict[str, float], expected: dict[str, float]
) -> None:
    moved = {name: value for name, value in converted(source, rig_curves(**channels)).items() if value}
    assert moved == expected


def test_sound_comes_through_unchanged_and_credit_goes_along(source: Path) -> None:
    convert(source, source / "out")
    sound, rate = soundfile.read(source / "out" / "wav" / "x_1.wav", dtype="int16")
    original, _ = soundfile.read(source / SOUND / "x_1.wav", dtype="int16")
    assert (rate, sound.shape) == (16_000, (SAMPLES,))
    assert np.array_equal(sound, original)
    assert "MIT" in (source / "out" / "LICENSE").read_text()
    assert "FACEGOOD rig mapped to ARKit" in (source / "out" / "CREDIT.txt").read_text()


def test_totals_count_what_was_clipped(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert converted(source, rig_curves(mouth_stretch_c=1.5, mouth_lipCornerPull_l=0.5))["JawOpen"] == 1.0
    assert "wrote 1 clips, 6 frames" in capsys.readouterr().out
    assert converted(source, rig_curves(mouth_stretch_c=-0.5))["JawOpen"] == 0.0
    assert "1 values clipped" in capsys.readouterr().out


def drop_mapping_row(source: Path) -> None:
    book = openpyxl.load_workbook(source / MAPPING)
    book.active.delete_rows(1 + 1 + ARKIT.index("JawOpen"))
    book.save(source / MAPPING)


def rename_rig(source: Path) -> None:
    np.save(source / RIG_NAMES, np.array(["other" if name == ADDED["MouthFunnel"] else name for name in RIG]))


def stereo(source: Path) -> None:
    soundfile.write(source / SOUND / "x_1.wav", np.zeros((SAMPLES, 2), np.int16), 16_000)


MISTAKES: list[tuple[Callable[[Path], object], str]] = [
    (lambda source: (source / CURVES / "bs_value_x_1.npy").unlink(), "no .npy file in this folder"),
    (lambda source: (source / CURVES).rename(source / "elsewhere"), "not the FACEGOOD-Audio2Face folder"),
    (lambda source: (source / SOUND / "x_1.wav").unlink(), "x_1.wav: no such file"),
    (lambda source: (source / RIG_NAMES).unlink(), "shirley_1015_bs_name.npy: No such file"),
    (lambda source: (source / MAPPING).unlink(), "ARkit.xlsx: No such file"),
    (lambda source: (source / MAPPING).write_text("ARKIT"), "not a readable xlsx file"),
    (lambda source: (source / "LICENSE").unlink(), "LICENSE: no such file"),
    (lambda source: (source / SOUND / "x_1.wav").write_bytes(b"RIFF"), "not a readable wav"),
    (lambda source: (source / CURVES / "bs_value_x_1.npy").write_bytes(b""), "not an npy array"),
    (lambda source: save_curves(source, np.zeros((FRAMES, 3))), "3 channels, but"),
    (lambda source: save_curves(source, np.zeros(FRAMES)), "expected 2 dimension"),
    (lambda source: save_curves(source, np.zeros((0, len(RIG)))), "no frames"),
    (lambda source: save_curves(source, np.full((FRAMES, len(RIG)), np.nan)), "not finite"),
    (lambda source: save_curves(source, np.zeros((20, len(RIG)))), "0.21 s of sound but 0.67 s of curves"),
    (stereo, "16000 Hz with 2 channels, expected 16000 Hz mono"),
    (drop_mapping_row, "no rig channel for JawOpen"),
    (rename_rig, "MouthFunnel comes from mouth_oh_c"),
]


@pytest.mark.parametrize(("mistake", "line"), MISTAKES)
def test_a_mistake_is_one_line(source: Path, mistake: Callable[[Path], object], line: str) -> None:
    mistake(source)
    assert line in refused(convert, source, source / "out")


@needs_shared(FACEGOOD)
def test_the_real_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    convert(FACEGOOD, tmp_path)
    assert "wrote 5 clips, 14,860 frames (8.3 min)" in capsys.readouterr().out
    table = read_csv(tmp_path / "bs" / "1114_3_15.csv", required=ARKIT)
    assert len(table.values) == 1472
    assert not table.select((*EYE, "BrowInnerUp", "TongueOut")).any()
    rig = read_rig_curves(FACEGOOD / CURVES / "bs_value_1114_3_15.npy", 116)
    funnel = rig[:, [42, 43, 44, 45, 63]].max(axis=1)  # mouth_funnel_dl, _dr, _ul, _ur and mouth_oh_c
    assert np.allclose(table.select(("JawOpen",))[:, 0], rig[:, 74], atol=1e-6)  # mouth_stretch_c
    assert np.allclose(table.select(("MouthFunnel",))[:, 0], funnel, atol=1e-6)
    assert funnel.max() > 0.9
