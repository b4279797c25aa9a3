import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from config.errors import UserError
from model.encoders import build_encoder
from model.hubert import HubertEncoder
from model.packed_linear import PackedLinear
from model.speech_encoder import encode_clip, encode_clips, encode_windows
from tests.helpers import CASES, needs_case, refused

KINDS = {
    "hubert": (transformers.HubertConfig, transformers.HubertModel),
    "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
    "wavlm": (transformers.WavLMConfig, transformers.WavLMModel),
}
MARK = "code_was_run"
POSITION = "encoder.pos_conv_embed.conv."


def tiny(kind: str = "hubert", stable: bool = True, seed: int = 0) -> transformers.PreTrainedModel:
    """A small random model with the real ones' convolutions in time; stable: as the large models are built.

    A group of the convolution has 16 channels: with fewer, oneDNN's in bf16 is wrong on CPUs that have AMX.
    """
    make_config, make_model = KINDS[kind]
    torch.manual_seed(seed)
    config = make_config(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, feat_extract_norm="layer" if stable else "group",
        do_stable_layer_norm=stable, conv_bias=stable, feat_proj_layer_norm=True,
    )  # fmt: skip
    model = make_model(config).eval()
    with torch.no_grad():
        for weight in model.parameters():  # zeros and ones would hide a value that did not arrive
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def hub_layout(model: transformers.PreTrainedModel, folder: Path, normalise: bool = True) -> Path:
    """What the hub holds for chinese-hubert-large: a .bin of 2022, with the weight norm's names of that time."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    settings = {"do_normalize": normalise, "feature_size": 1, "sampling_rate": 16000, "return_attention_mask": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    modern = {f"{POSITION}parametrizations.weight.original0": f"{POSITION}weight_g",
              f"{POSITION}parametrizations.weight.original1": f"{POSITION}weight_v"}  # fmt: skip
    state = {modern.get(name, name): value.clone() for name, value in model.state_dict().items()}
    torch.save(state, folder / "pytorch_model.bin")
    return folder


@pytest.fixture
def audio() -> torch.Tensor:
    return 0.3 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(1)) + 0.05


def normalised(audio: torch.Tensor) -> torch.Tensor:
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    return extractor(list(audio.numpy()), sampling_rate=16000, return_tensors="pt").input_values


@torch.no_grad()
def states(model: transformers.PreTrainedModel, audio: torch.Tensor) -> list[torch.Tensor]:
    """Hidden states 0 to 3, the last one being the model's last_hidden_state."""
    output = model(audio, output_hidden_states=True)
    return [*output.hidden_states[:-1], output.last_hidden_state]


def test_hub_layout_arrives_value_by_value(tmp_path: Path, audio: torch.Tensor) -> None:
    original = tiny()
    encoder = HubertEncoder(str(hub_layout(original, tmp_path)))
    written = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    assert f"{POSITION}weight_g" in written and f"{POSITION}weight_v" in written
    arrived = encoder.load().state_dict()
    scale, direction = written.pop(f"{POSITION}weight_g"), written.pop(f"{POSITION}weight_v")
    folded = scale * direction / direction.norm(dim=(0, 1), keepdim=True)
    torch.testing.assert_close(arrived.pop(f"{POSITION}weight"), folded)
    assert arrived.keys() == written.keys()
    for name, value in written.items():
        assert torch.equal(arrived[name], value), name
    torch.testing.assert_close(encoder(audio), states(original, normalised(audio))[-1], atol=1e-5, rtol=1e-5)


def test_interface(tmp_path: Path, audio: torch.Tensor) -> None:
    encoder = HubertEncoder(str(hub_layout(tiny(), tmp_path)))
    assert (encoder.rate_hz, encoder.size, encoder.receptive_field) == (50.0, 32, 400)
    assert not any(weight.requires_grad for weight in encoder.parameters())
    assert not any(module.training for module in encoder.train().modules())
    assert encode_windows(encoder, 0.1 * torch.randn(3, 35200), 55, 25, batch=2).shape == (3, 55, 32)
    assert encoder(torch.zeros(1, 35200)).shape == (1, 109, 32)
    for samples in (1, 399, 400, 1600):
        features = encoder(audio[:, :samples])
        assert features.shape[1] == max(1, 1 + (samples - 400) // 320) and features.isfinite().all()
    assert encode_clip(encoder, audio[0, :1600], 25).shape == (3, 32)


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_every_kind(kind: str, stable: bool, tmp_path: Path, audio: torch.Tensor) -> None:
    original = tiny(kind, stable)
    folder = tmp_path / kind
    original.save_pretrained(folder)  # safetensors, modern names
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false}')
    expected = states(original, audio)
    for layer in (-1, 0, 1, 2, 3, -2):
        encoder = HubertEncoder(str(folder), layer)
        torch.testing.assert_close(encoder(audio), expected[layer], atol=1e-5, rtol=1e-5)
    assert not any(".layers.1." in name for name, _ in HubertEncoder(str(folder), 1).named_modules())
    with pytest.raises(UserError, match="hidden states 0 to 3"):
        HubertEncoder(str(folder), 4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "likeness"), [("int8", 0.995), ("bf16", 0.999), ("fp16", 0.999)])
def test_precisions(kind: str, precision: str, likeness: float, tmp_path: Path, audio: torch.Tensor) -> None:
    original = tiny(kind)
    folder = hub_layout(original, tmp_path)
    encoder = HubertEncoder(str(folder), precision=precision)
    assert encoder.identity == HubertEncoder(str(folder)).identity + f", {precision}"
    features, expected = encoder(audio), states(original, normalised(audio))[-1]
    assert features.dtype == torch.float32 and features.shape == expected.shape
    assert torch.cosine_similarity(features, expected, dim=-1).mean() > likeness
    assert not torch.equal(features, expected)


def test_int8_without_its_operations_is_refused(
    tmp_path: Path, audio: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = HubertEncoder(str(hub_layout(tiny(), tmp_path)), precision="int8")
    monkeypatch.setattr(type(torch.backends.quantized), "supported_engines", ["none"])
    with pytest.raises(UserError, match=r"features\.precision: int8 needs .* set it to fp32"):
        encoder(audio)


def test_linear_layers_are_packed_once_they_run(tmp_path: Path, audio: torch.Tensor) -> None:
    encoder = HubertEncoder(str(hub_layout(tiny(), tmp_path)))
    encoder(audio)
    kinds = [type(module) for name, module in encoder.named_modules() if name.endswith(("_proj", "_dense"))]
    assert kinds == [PackedLinear] * (6 * 3)


def test_batch_needs_no_mask(tmp_path: Path, audio: torch.Tensor) -> None:
    encoder = HubertEncoder(str(hub_layout(tiny(), tmp_path)))
    alone = torch.cat([encoder(item[None]) for item in audio])
    torch.testing.assert_close(encoder(audio), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_clips_of_any_length_share_a_forward_and_do_not_notice(kind: str, normalise: bool, tmp_path: Path) -> None:
    encoder = HubertEncoder(str(hub_layout(tiny(kind), tmp_path, normalise)))
    noise = torch.Generator().manual_seed(2)
    clips = [0.3 * torch.randn(samples, generator=noise) + 0.1 for samples in (24000, 23999, 9000, 400, 399, 80, 24000)]
    assert encoder.batches
    for together, clip in zip(encode_clips(encoder, clips, 30.0), clips, strict=True):
        torch.testing.assert_close(together, encode_clip(encoder, clip, 30.0), atol=2e-5, rtol=1e-4)


def test_an_encoder_that_would_hear_its_neighbours_does_not_batch(tmp_path: Path) -> None:
    assert not HubertEncoder(str(hub_layout(tiny(stable=False), tmp_path / "group"))).batches
    assert not HubertEncoder(str(hub_layout(tiny(), tmp_path / "layer")), precision="int8").batches


def test_preprocessor_config_decides_normalisation(tmp_path: Path, audio: torch.Tensor) -> None:
    original = tiny()
    plain = HubertEncoder(str(hub_layout(original, tmp_path, normalise=False)))
    torch.testing.assert_close(plain(audio), states(original, audio)[-1], atol=1e-5, rtol=1e-5)
    normalising = HubertEncoder(str(hub_layout(original, tmp_path, normalise=True)))
    assert not torch.allclose(plain(audio), normalising(audio), atol=1e-2)
    assert plain.identity != normalising.identity
    settings = tmp_path / "preprocessor_config.json"
    settings.write_text('{"do_normalize": true, "sampling_rate": 24000}')
    with pytest.raises(UserError, match="24000 Hz"):
        HubertEncoder(str(tmp_path))
    settings.unlink()
    with pytest.raises(UserError, match=r"preprocessor_config.json: missing"):
        HubertEncoder(str(tmp_path))


def test_identity_tells_weights_and_layer_but_not_the_place(tmp_path: Path) -> None:
    one, same, other = (hub_layout(tiny(seed=seed), tmp_path / name) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    identity = HubertEncoder(str(one)).identity
    assert HubertEncoder(str(same)).identity == HubertEncoder(str(one), 3).identity == identity
    assert HubertEncoder(str(other)).identity != identity
    assert HubertEncoder(str(one), 2).identity != identity
    weights = torch.load(one / "pytorch_model.bin", weights_only=True)
    weights["encoder.layer_norm.bias"][0] += 1
    torch.save(weights, one / "pytorch_model.bin")
    assert HubertEncoder(str(one)).identity != identity


def test_long_clip_in_chunks_is_close_to_the_whole(tmp_path: Path) -> None:
    encoder = HubertEncoder(str(hub_layout(tiny(), tmp_path, normalise=False)), 0)
    clip = 0.3 * torch.randn(16000 * 12)
    torch.testing.assert_close(
        encode_clip(encoder, clip, 30, 4.0), encode_clip(encoder, clip, 30, 60.0), atol=1e-5, rtol=0
    )


def test_checkpoint_of_a_model_with_a_head(tmp_path: Path, audio: torch.Tensor) -> None:
    original = tiny()
    with_head = transformers.HubertForCTC(transformers.HubertConfig(**original.config.to_dict()))
    with_head.hubert.load_state_dict(original.state_dict())
    with_head.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false}')
    torch.testing.assert_close(HubertEncoder(str(tmp_path))(audio), states(original, audio)[-1], atol=1e-5, rtol=1e-5)


def test_hub_id_from_the_local_cache(tmp_path: Path, audio: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "models--someone--some-hubert"
    hub_layout(tiny(), repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    features = SimpleNamespace(encoder="hubert", model="someone/some-hubert", layer=-1, precision="fp32")
    encoder = build_encoder(features, 25.0)  # type: ignore[arg-type]
    torch.testing.assert_close(encoder(audio), states(tiny(), normalised(audio))[-1], atol=1e-5, rtol=1e-5)
    assert encoder.identity == HubertEncoder(str(repository / "snapshots" / ("0" * 40))).identity


@pytest.mark.parametrize("model", ["TencentGameMate/chinese-hubert-large", "no/such/folder", "/nowhere", "a b", ""])
def test_missing_model_says_how_to_get_it(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    line = refused(HubertEncoder, model)
    assert "hf download TencentGameMate/chinese-hubert-large --local-dir chinese-hubert-large" in line
    assert "features.model=chinese-hubert-large" in line


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.mark),))


def _drop_a_weight(folder: Path) -> None:
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    del weights["encoder.layers.1.attention.q_proj.weight"]
    torch.save(weights, folder / "pytorch_model.bin")


def _rename_a_weight_norm(folder: Path) -> None:
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    weights[f"{POSITION}weight_x"] = weights.pop(f"{POSITION}weight_g")
    torch.save(weights, folder / "pytorch_model.bin")


def _fewer_layers_in_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))


def _another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 32}))


def _truncate(folder: Path) -> None:
    weights = folder / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:4000])


def _empty(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")


def _truncate_safetensors(folder: Path) -> None:
    save_file({"encoder.layer_norm.bias": torch.zeros(32)}, folder / "model.safetensors")
    assert load_file(folder / "model.safetensors")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-10])


def _pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"encoder.layer_norm.bias": Bomb(folder / MARK)}))


def _pickle_in_a_torch_file(folder: Path) -> None:
    torch.save({"encoder.layer_norm.bias": Bomb(folder / MARK)}, folder / "pytorch_model.bin")


def _pickle_as_safetensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb(folder / MARK)))


def _no_weights(folder: Path) -> None:
    (folder / "pytorch_model.bin").unlink()


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _text_model(folder: Path) -> None:
    transformers.BertConfig().save_pretrained(folder)


def _data2vec(folder: Path) -> None:
    transformers.Data2VecAudioConfig(conv_dim=(8,) * 7, num_hidden_layers=1).save_pretrained(folder)


def _whisper_without_weights(folder: Path) -> None:
    (folder / "pytorch_model.bin").unlink()
    transformers.WhisperConfig().save_pretrained(folder)


def _foreign_code(folder: Path) -> None:
    config = {"model_type": "own", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"import os; os.mkdir({str(folder / MARK)!r})")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_drop_a_weight, "1 of the weights missing"),
        (_rename_a_weight_norm, "1 of the weights missing"),
        (_fewer_layers_in_config, "16 of the weights left over"),
        (_another_shape, "9 of the weights of another shape"),
        (_truncate, "the weights are damaged or no plain weights"),
        (_empty, "the weights are damaged or no plain weights"),
        (_truncate_safetensors, "the weights are damaged or no plain weights"),
        (_pickle, "the weights are damaged or no plain weights"),
        (_pickle_in_a_torch_file, "the weights are damaged or no plain weights"),
        (_pickle_as_safetensors, "the weights are damaged or no plain weights"),
        (_no_weights, "holds no model"),
        (_no_config, "config.json: missing, damaged, or of a model"),
        (_broken_config, "config.json: missing, damaged, or of a model"),
        (_text_model, "a bert model is no HuBERT"),
        (_data2vec, "a data2vec-audio model is no HuBERT, WavLM or wav2vec 2.0 encoder; take another model"),
        (_whisper_without_weights, "a whisper model is no HuBERT, WavLM or wav2vec 2.0 encoder; take another model"),
        (_foreign_code, "config.json: missing, damaged, or of a model"),
    ],
)  # fmt: skip
def test_damaged_model_is_refused_in_one_line(
    damage: object, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    damage(hub_layout(tiny(), tmp_path))  # type: ignore[operator]
    line = refused(lambda: HubertEncoder(str(tmp_path)).load())
    assert reason in line and str(tmp_path) in line
    assert not (tmp_path / MARK).exists(), "code from the files was run"
    assert capfd.readouterr() == ("", "")


@needs_case("20-encoder-of-another-family")
def test_the_shared_model_of_another_family() -> None:
    folder = CASES / "20-encoder-of-another-family" / "data2vec"
    family = "a data2vec-audio model is no HuBERT, WavLM or wav2vec 2.0 encoder; take another model"
    assert refused(HubertEncoder, str(folder)) == f"{folder}: {family}"
