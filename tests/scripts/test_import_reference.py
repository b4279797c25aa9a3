import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dataset.blendshapes import ARKIT, FACE, read_csv
from dataset.stats import load_stats
from model.checkpoint import load_decoder
from model.reference import read_reference, stats_of
from scripts import import_reference, synthesize

SIZE = 16  # of the speech features; 1024 in the published files
MEAN = np.linspace(0.0, 0.3, len(FACE))
STD = np.linspace(0.1, 0.2, len(FACE))


class Published(nn.Module):
    """The reference implementation's generator: modules under the names of its files."""

    def __init__(self, one_hot: bool) -> None:
        super().__init__()
        width = 66 if one_hot else 64
        self.one_hot = one_hot
        # The first stands for HuBERT.
        self.audio_encoder = nn.ModuleDict({"model": nn.Linear(3, 3), "audio_feature_map": nn.Linear(SIZE, 64)})
        self.text_encoder = nn.Embedding(5, 4)
        encoder_layer = nn.TransformerEncoderLayer(width, 2, batch_first=True)
        self.AIWIN = nn.Sequential(nn.TransformerEncoder(encoder_layer, 1, enable_nested_tensor=False))
        decoder_layer = nn.TransformerDecoderLayer(width, 2, batch_first=True)
        self.TransformerDecoder = nn.TransformerDecoder(decoder_layer, 1)
        self.AIWIN_ = nn.Sequential(nn.Linear(width, len(FACE)), nn.Dropout(0.1), nn.Tanh())

    def forward(self, features: Tensor, domain: Tensor) -> Tensor:
        x = self.audio_encoder["audio_feature_map"](features)
        if self.one_hot:
            x = torch.cat([x, torch.eye(2)[domain][:, None].expand(-1, x.shape[1], -1)], dim=2)
        return self.AIWIN_(self.TransformerDecoder(self.AIWIN(x), x))


def column(values: np.ndarray) -> list[list[float]]:
    return [[value] for value in values.tolist()]


def publish(path: Path, one_hot: bool = True, **changes: Any) -> Published:
    """Write a .bin as the reference does; changes: of its top level, its weights (`w_…`) or its arguments (`a_…`)."""
    torch.manual_seed(0)
    model = Published(one_hot).eval()
    arguments = {"data_mean": column(MEAN), "data_std": column(STD), "n_poses": 55, "motion_resampling_framerate": 25,
                 "model": "some_model", "loss_weights": [0.1, 500.0], "lang": None, "use_text": False}  # fmt: skip
    arguments |= {name[2:]: value for name, value in changes.items() if name.startswith("a_")}
    state = model.state_dict() | {name[2:]: value for name, value in changes.items() if name.startswith("w_")}
    published = {
        "args": Namespace(**{name: value for name, value in arguments.items() if value is not KeyError}),
        "epoch": 90,
        "lang_model": None,
        "pose_dim": len(FACE),
        "gen_dict": {name: value for name, value in state.items() if value is not KeyError},
        "discriminator": {"out.weight": torch.zeros(3)},
    }
    published |= {name: value for name, value in changes.items() if name[:2] not in ("a_", "w_")}
    torch.save({name: value for name, value in published.items() if value is not KeyError}, path)
    return model


@pytest.mark.parametrize("one_hot", [True, False])
def test_equal_outputs_and_curves(
    one_hot: bool, tmp_path: Path, run_main: Callable[..., None], capsys: pytest.CaptureFixture
) -> None:
    model = publish(tmp_path / "reference.bin", one_hot)
    assert model.state_dict()["audio_encoder.audio_feature_map.weight"].shape == (64, SIZE)
    run_main(import_reference, tmp_path / "reference.bin", tmp_path / "ours" / "best.safetensors")
    assert f"25 fps, {'with' if one_hot else 'without'} domain one-hot" in capsys.readouterr().out

    header, decoder = load_decoder(tmp_path / "ours" / "best.safetensors")
    assert (header.channels, header.fps, header.feature_size) == (FACE, 25.0, SIZE)
    assert header.config.windows.window_frames == 55 and header.config.features.context == "window"
    assert len(decoder.state_dict()) == one_hot + 2 + 12 + 18 + 2, (
        "nothing of HuBERT, the text encoder, the discriminator"
    )
    features, domain = torch.randn(4, 55, SIZE), torch.tensor([0, 1, 0, 1])
    with torch.no_grad():
        expected, normalised = model(features, domain), decoder(features, domain)
    assert expected.std() > 0.1
    torch.testing.assert_close(normalised, expected, atol=1e-6, rtol=1e-5)
    stats = header.stats.select(FACE)
    np.testing.assert_allclose(normalised.numpy() * stats.std + stats.mean, expected.numpy() * STD + MEAN, atol=1e-6)
    assert load_stats(tmp_path / "ours" / "best.safetensors").max.tolist() == [1.0] * len(ARKIT)


def test_names_of_a_model_on_several_devices_and_stats_of_all_channels(tmp_path: Path) -> None:
    model = publish(tmp_path / "one.bin")
    several = {f"module.{name}": tensor.half() for name, tensor in model.state_dict().items()}
    everything = np.linspace(0, 1, len(ARKIT))
    publish(tmp_path / "several.bin", gen_dict=several, a_data_mean=column(everything))
    weights, arguments = read_reference(tmp_path / "several.bin")
    assert weights.keys() == read_reference(tmp_path / "one.bin")[0].keys()
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    stats = stats_of(tmp_path / "several.bin", arguments)
    np.testing.assert_array_equal(stats.mean, everything)
    np.testing.assert_array_equal(stats.select(FACE).std, STD)


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (os.system, (f"touch '{self.mark}'",))


@pytest.mark.parametrize("place", ["args", "gen_dict", "a_data_mean", "epoch"])
def test_a_malicious_pickle_is_refused_without_being_run(
    place: str, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    mark = tmp_path / "code_was_run"
    publish(tmp_path / "bad.bin", True, **{place: Bomb(mark)})
    line = refusal(import_reference, tmp_path / "bad.bin", tmp_path / "out.safetensors")
    assert line == f"{tmp_path}/bad.bin: holds more than tensors and an argparse Namespace, or is no torch file"
    assert not mark.exists() and not (tmp_path / "out.safetensors").exists()
    with pytest.raises(Exception):  # noqa: B017
        torch.load(tmp_path / "bad.bin", weights_only=False)["gen_dict"]["none"]
    assert mark.exists(), "the file was harmless, the test proves nothing"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gen_dict": KeyError}, "not a reference checkpoint: expected a torch file with gen_dict and args"),
        ({"args": KeyError}, "not a reference checkpoint"),
        ({"gen_dict": 3}, "not a reference checkpoint"),
        ({"gen_dict": {"AIWIN_.0.weight": "text"}}, "not a reference checkpoint"),
        ({"gen_dict": {}}, "gen_dict has no audio_encoder.audio_feature_map.*"),
        ({"w_AIWIN_.0.weight": KeyError, "w_AIWIN_.0.bias": KeyError}, "gen_dict has no AIWIN_.0.*"),
        ({"w_AIWIN_.0.weight": KeyError}, "head.linear.weight is missing, expected [37, 66]"),
        ({"w_audio_encoder.audio_feature_map.weight": KeyError}, "no matrix of the projection"),
        ({"w_AIWIN.0.layers.0.linear1.weight": torch.zeros(4)}, "no matrix of the projection or of encoder.0.linear1"),
        ({"w_AIWIN.0.layers.0.linear1.weight": torch.zeros(2048, 67)}, "a width of 64 + 3; expected 64 or 66"),
        ({"w_AIWIN_.0.weight": torch.zeros(52, 66)}, "head.linear.weight is [52, 66], expected [37, 66]"),
        ({"w_AIWIN.0.layers.0.norm3.weight": torch.zeros(66)}, "encoder.0.norm3.weight is [66], expected none"),
        ({"a_data_mean": column(MEAN[:5])}, "data_mean has 5 values; expected 37 or 52"),
        ({"a_data_std": KeyError}, "args has no data_std that reads as numbers"),
        ({"a_data_std": [["much"]] * 37}, "args has no data_std that reads as numbers"),
        ({"a_data_std": column(-STD)}, "data_std has a value below 0"),
        ({"w_AIWIN_.0.bias": torch.full((37,), np.nan)}, "head.linear.bias holds what is not a finite number"),
        ({"a_data_std": column(STD * np.nan)}, "args has no data_std that reads as numbers"),
        ({"a_n_poses": KeyError}, "args has no n_poses that reads as int"),
        ({"a_n_poses": 0}, "windows.window_frames: Input should be greater than or equal to 2"),
        ({"a_motion_resampling_framerate": None}, "args has no motion_resampling_framerate that reads as float"),
        ({"a_motion_resampling_framerate": 0}, "data.fps: Input should be greater than 0"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(
    changes: dict[str, Any], reason: str, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    publish(tmp_path / "bad.bin", **changes)
    line = refusal(import_reference, tmp_path / "bad.bin", tmp_path / "out.safetensors")
    assert line.startswith(f"{tmp_path}/bad.bin: ") and reason in line
    assert [path.name for path in tmp_path.iterdir()] == ["bad.bin"]


@pytest.mark.parametrize(
    "content",
    [b"", b"not a torch file", b"PK\x03\x04 no zip", b"\x80\x02}q\x00.", bytes(range(256)) * 8, None],
    ids=["empty", "text", "zip", "pickle", "noise", "truncated"],
)
def test_files_of_other_kinds(content: bytes | None, tmp_path: Path, refusal: Callable[..., str]) -> None:
    publish(tmp_path / "bad.bin")
    (tmp_path / "bad.bin").write_bytes((tmp_path / "bad.bin").read_bytes()[:5000] if content is None else content)
    assert "bad.bin: " in refusal(import_reference, tmp_path / "bad.bin", tmp_path / "out.safetensors")
    assert "no.bin: No such file" in refusal(import_reference, tmp_path / "no.bin", tmp_path / "out.safetensors")


def test_synthesis_equals_the_references_own(
    tmp_path: Path,
    run_main: Callable[..., None],
    refusal: Callable[..., str],
    make_hubert: Callable[..., Path],
    speech: Callable[..., np.ndarray],
) -> None:
    """--overlap 0: consecutive windows of 2.2 s, the last one zero-padded, cut to the sound's length."""
    import transformers

    from dataset.audio import read_audio

    model = publish(tmp_path / "reference.bin")
    hubert = make_hubert(size=SIZE)
    speech(tmp_path / "a.wav", 5.0)
    run_main(import_reference, tmp_path / "reference.bin", tmp_path / "best.safetensors")
    common = ("--ckpt_path", tmp_path / "best.safetensors", "--wav_path", tmp_path / "a.wav", "--overlap", 0)
    run_main(synthesize, *common, "--encoder_path", hubert, "--no_clamp")

    audio = torch.from_numpy(read_audio(tmp_path / "a.wav"))
    windows = torch.nn.functional.pad(audio, (0, 3 * 35200 - len(audio))).reshape(3, 35200)
    listen = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    with torch.no_grad():
        inputs = listen(list(windows.numpy()), sampling_rate=16000, return_tensors="pt").input_values
        features = transformers.HubertModel.from_pretrained(hubert).eval()(inputs).last_hidden_state[:, ::2]
        curves = model(features, torch.zeros(3, dtype=torch.long)).reshape(-1, len(FACE))[:125].numpy() * STD + MEAN
    table = read_csv(tmp_path / "a.csv")
    assert curves.std(axis=0).max() > 0.01
    np.testing.assert_allclose(table.select(FACE), curves, atol=1e-5)
    assert not np.delete(table.select(ARKIT), [ARKIT.index(name) for name in FACE], axis=1).any()

    other = make_hubert("other", size=32)
    line = refusal(synthesize, *common, "--encoder_path", other)
    assert f"takes features of {SIZE} values, but those of {other} have 32" in line
