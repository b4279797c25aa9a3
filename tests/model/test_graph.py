"""Checkpoints as ONNX files, run by onnxruntime: the curves of Synthesizer and of StreamingSynthesizer."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.places import SHIPPED
from config.units import SAMPLE_RATE, frame_count
from model.causal_model import load_causal
from model.curve_streams import curve_stream
from model.streaming import StreamingSynthesizer, stream_curves
from model.synthesis import Synthesizer
from scripts import export_model
from tests.helpers import refused, refused_file, run_main

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra of requirements-onnx.txt is not installed")
pytest.importorskip("onnx", reason="the extra of requirements-onnx.txt is not installed")

Make = Callable[..., Path]


class Exported:
    """An exported checkpoint, run as its description says, by what its file says alone."""

    def __init__(self, path: Path, domain: str | None = None, lookahead_ms: float | None = None, half: bool = False):
        from model.graph.export import onnx_model

        self.content = onnx_model(path, domain, lookahead_ms, half).SerializeToString()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        self.metadata = self.session.get_modelmeta().custom_metadata_map

    def whole(self, **given: np.ndarray) -> np.ndarray:
        (curves,) = self.session.run(None, given)
        return curves

    def streamed(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """The curves of a sound in pieces, as many as it lasts."""
        states = self.session.get_inputs()[1:]
        kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
        carried: list[Any] = [np.zeros(state.shape, kinds[state.type]) for state in states]
        told = []
        for piece in (*pieces, np.zeros(int(self.metadata["flush_samples"]), np.float32)):
            feeds = {state.name: value for state, value in zip(states, carried, strict=True)}
            curves, *carried = self.session.run(None, {"samples": piece, **feeds})
            told.append(curves)
        frames = frame_count(sum(map(len, pieces)), json.loads(self.metadata["fps"]))
        curves = np.concatenate(told)
        assert frames <= len(curves) <= frames + 2
        return curves[:frames]


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """(samples,) float32: noise that comes and goes."""
    random = np.random.default_rng(seed)
    samples = round(seconds * SAMPLE_RATE)
    loudness = np.interp(np.arange(samples) / SAMPLE_RATE, 0.15 * np.arange(20), random.random(20))
    return (0.2 * loudness * random.standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize(("fps", "lookahead_ms"), [(25, 0), (25, 50), (30, 0), (30, 137), (29.97, 200)])
def test_a_stream_in_any_pieces_gives_what_ours_does(
    fps: float, lookahead_ms: float, make_streaming_checkpoint: Make
) -> None:
    path, audio = make_streaming_checkpoint(f"data.fps={fps}"), sound(1.3, seed=3)
    exported, model = Exported(path, "b", lookahead_ms), load_causal(path)
    expected = stream_curves(model, [audio], "b", lookahead_ms)[:, model.places].clip(0, 1)
    assert ((expected > 0) & (expected < 1)).mean() > 0.2 and np.ptp(expected, axis=0).max() > 0.01
    random = np.random.default_rng(1)
    cuts = {
        "whole": [audio],
        "a frame": np.split(audio, np.arange(640, len(audio), 640)),
        "random, empty ones too": np.split(audio, np.sort(random.integers(0, len(audio), 60))),
    }
    for name, pieces in cuts.items():
        curves = exported.streamed(pieces)
        np.testing.assert_allclose(curves, expected[: len(curves)], atol=1e-5, rtol=0, err_msg=name)


def test_a_frame_is_told_once_its_look_ahead_is_heard(make_streaming_checkpoint: Make) -> None:
    path = make_streaming_checkpoint()
    exported, stream = Exported(path, None, 120), StreamingSynthesizer(path, None, 120)
    assert json.loads(exported.metadata["lookahead_ms"]) == stream.lookahead_ms
    states = {one.name: np.zeros(one.shape, np.int64 if one.name == "heard" else np.float32)
              for one in exported.session.get_inputs()[1:]}  # fmt: skip
    for block in np.split(sound(0.5), 50):
        curves, *carried = exported.session.run(None, {"samples": block, **states})
        states = dict(zip(states, carried, strict=True))
        assert len(curves) == len(stream.push(block))


def test_stream_py_runs_an_exported_stream(make_streaming_checkpoint: Make, tmp_path: Path) -> None:
    path, out = make_streaming_checkpoint(), tmp_path / "live.onnx"
    run_main(export_model, "--ckpt_path", path, "--out", out, "--domain", "b", "--lookahead_ms", 80)
    stream, ours = curve_stream(out, None, None, None), StreamingSynthesizer(path, "b", 80)
    assert (stream.fps, stream.lookahead_ms, stream.moving) == (ours.fps, ours.lookahead_ms, ours.moving)
    for seed in (1, 2):  # the second sound after the first
        audio, told, expected = sound(0.7, seed), [], []
        for block in np.split(audio, 16):
            told.append(stream.push(block))
            expected.append(ours.push(block))
            assert len(told[-1]) == len(expected[-1])
        frames, wanted = ([frame for part in (*parts, end) for frame in part]
                          for parts, end in ((told, stream.flush()), (expected, ours.flush())))  # fmt: skip
        assert [frame.time_s for frame in frames] == [frame.time_s for frame in wanted]
        for frame, want in zip(frames, wanted, strict=True):
            np.testing.assert_allclose(frame.values, want.values.clip(0, 1), atol=1e-5)
    wrong = "is exported as b; export it anew"
    assert refused(curve_stream, out, "a", None, None) == f"--domain a: {out} {wrong}"
    line = refused(curve_stream, out, None, 10, None)
    assert line == f"--lookahead_ms 10: {out} waits for {ours.lookahead_ms:.0f} ms; export it anew"


def test_what_is_no_exported_stream_is_refused(make_checkpoint: Make, tmp_path: Path) -> None:
    whole, cut, absent = tmp_path / "whole.onnx", tmp_path / "cut.onnx", tmp_path / "absent.onnx"
    run_main(export_model, "--ckpt_path", make_checkpoint(), "--out", whole)
    cut.write_bytes(whole.read_bytes()[:-100])
    assert refused_file(lambda path: curve_stream(path, None, None, None), whole) == (
        "does not stream; export a checkpoint that does: result/live/best.safetensors"
    )
    assert refused_file(lambda path: curve_stream(path, None, None, None), cut) == (
        "no ONNX file that can be run, or a truncated one; export it anew"
    )
    assert refused_file(lambda path: curve_stream(path, None, None, None), absent) == "no such checkpoint"


def test_the_time_that_is_carried_does_not_grow(make_streaming_checkpoint: Make) -> None:
    exported = Exported(make_streaming_checkpoint("data.fps=30"), None, 200)
    states = {one.name: np.zeros(one.shape, np.int64 if one.name == "heard" else np.float32)
              for one in exported.session.get_inputs()[1:]}  # fmt: skip
    heard = []
    for block in np.split(sound(4.0), 80):
        _, *carried = exported.session.run(None, {"samples": block, **states})
        states = dict(zip(states, carried, strict=True))
        heard.append(int(states["heard"][0]))
    assert heard[:3] == [800, 1600, 2400]
    assert max(heard) < SAMPLE_RATE


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model.output=tanh", "model.encoder_layers=0", "model.decoder_layers=2", "model.normalise_features=true"),
        (
            "model.encoder_layers=0", "model.decoder_layers=0", "model.positional=none", "model.conv_kernel=4",
            "model.conv_layers=2", "text.stream=phones", "windows.window_frames=7", "features.logmel.steps_per_frame=3",
            "features.logmel.context_steps=4", "data.fps=30",
        ),
    ],
)  # fmt: skip
def test_a_whole_sound_gives_the_synthesizer_s_curves(overrides: tuple[str, ...], make_checkpoint: Make) -> None:
    path = make_checkpoint(*overrides)
    exported, synthesizer = Exported(path, "b"), Synthesizer(path, device="cpu")
    for seconds in (0.03, 0.5, 2.31):
        audio = sound(seconds, seed=4)
        expected = synthesizer.synthesize(audio, "b").clip(0, 1)
        np.testing.assert_allclose(exported.whole(samples=audio), expected, atol=1e-5, rtol=0)
    assert ((expected > 0) & (expected < 1)).mean() > 0.2 and np.ptp(expected, axis=0).max() > 0.01


@pytest.mark.parametrize("context", ["clip", "window"])
def test_a_speech_model_s_features_give_the_synthesizer_s_curves(
    context: str, make_checkpoint: Make, make_hubert: Make
) -> None:
    path = make_checkpoint("features.encoder=hubert", f"features.model={make_hubert()}", f"features.context={context}")
    exported, synthesizer, audio = Exported(path), Synthesizer(path, device="cpu"), sound(2.0)
    hop, frames = int(exported.metadata["hop_frames"]), 50
    starts = np.arange(0, frames - (int(exported.metadata["window_frames"]) - hop), hop)
    ((_, features),) = synthesizer.members[0].hearing.features(iter([audio]), starts)
    curves = exported.whole(features=features.numpy())
    np.testing.assert_allclose(curves[:frames], synthesizer.synthesize(audio).clip(0, 1), atol=1e-5, rtol=0)
    assert exported.metadata["encoder"].startswith("hubert 1: ")


def test_the_shipped_weights_in_half_the_bytes() -> None:
    audio = sound(1.5)
    exact, half = Exported(SHIPPED, "pucker"), Exported(SHIPPED, "pucker", half=True)
    expected = Synthesizer(device="cpu").synthesize(audio, "pucker").clip(0, 1)
    np.testing.assert_allclose(exact.whole(samples=audio), expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(half.whole(samples=audio), expected, atol=1e-3, rtol=0)
    assert len(exact.content) < 5.3e6 and len(half.content) < 0.52 * len(exact.content)
    said = {key: json.loads(exact.metadata[key]) for key in ("channels", "fps", "sample_rate", "domains")}
    header = Synthesizer(device="cpu").header
    assert said == {"channels": list(header.channels), "fps": 30, "sample_rate": 16000, "domains": header.domains}
    assert (exact.metadata["domain"], exact.metadata["licence"]) == ("pucker", "apache-2.0")


def test_the_card_beside_a_checkpoint_says_its_licence(tmp_path: Path) -> None:
    from model.graph.export import licence_of

    cards = {
        "---\nlicense: mit\ntags: [a]\n---\n# A model\n": "mit",
        "# A model\n": "",
        "---\nlanguage: en\n---\n": "",
        "---\n- a\n---\n": "",
        "---\n{\n---\n": "",
        "---\n": "",
    }
    assert licence_of(tmp_path / "best.safetensors") == ""
    for card, licence in cards.items():
        (tmp_path / "README.md").write_text(card, encoding="utf-8")
        assert licence_of(tmp_path / "best.safetensors") == licence, card


def test_what_a_checkpoint_does_not_know_is_refused(make_checkpoint: Make, make_streaming_checkpoint: Make) -> None:
    from model.graph.export import onnx_model

    path = make_checkpoint()
    assert refused(onnx_model, path, "c", None, False) == "--domain c: the checkpoint knows a, b"
    message = "--lookahead_ms 50: the checkpoint hears whole windows; leave it out"
    assert refused(onnx_model, path, None, 50, False) == message
    message = "--lookahead_ms 201: the checkpoint is trained for 0 to 200"
    assert refused(onnx_model, make_streaming_checkpoint(), None, 201, False) == message
