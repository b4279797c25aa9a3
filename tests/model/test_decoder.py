import pytest
import torch
from torch import Tensor, nn

from config.load import ROOT, load_config
from config.schema import Config
from dataset.text_units import NONE
from model.decoder import Decoder, FeatureNorm, build_decoder

T = 55


def config_of(*overrides: str, file: str = "aiwin.yml") -> Config:
    return load_config(ROOT / "config" / file, overrides)


def decoder_of(*overrides: str, file: str = "default.yml", feature_size: int = 20, channels: int = 37) -> Decoder:
    torch.manual_seed(0)
    return build_decoder(config_of(*overrides, file=file), feature_size, channels).eval()


def domains(*names: str) -> str:
    return "data.domains=[" + ", ".join(f"{{name: {name}, clips: [{name}*], weight: 1.0}}" for name in names) + "]"


class Reference(nn.Module):
    """The reference decoder, put together from torch's layers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_feature_map = nn.Linear(1024, 64)
        self.encoder = nn.TransformerEncoderLayer(66, 2, dim_feedforward=2048, dropout=0.1, batch_first=True)
        self.decoder = nn.TransformerDecoderLayer(66, 2, dim_feedforward=2048, dropout=0.1, batch_first=True)
        self.out = nn.Linear(66, 37)

    def forward(self, features: Tensor, domain: Tensor) -> Tensor:
        one_hot = torch.zeros(len(domain), features.shape[1], 2)
        one_hot[torch.arange(len(domain)), :, domain] = 1
        memory = torch.cat([self.audio_feature_map(features), one_hot], dim=2)
        return torch.tanh(self.out(self.decoder(tgt=self.encoder(memory), memory=memory)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    torch.manual_seed(0)
    return Reference().eval()


@pytest.fixture(scope="module")
def ours(reference: Reference) -> Decoder:
    decoder = decoder_of(file="aiwin.yml", feature_size=1024)
    decoder.project.load_state_dict(reference.audio_feature_map.state_dict())
    decoder.encoder[0].load_state_dict(reference.encoder.state_dict())
    decoder.decoder[0].load_state_dict(reference.decoder.state_dict())
    decoder.head.linear.load_state_dict(reference.out.state_dict())
    return decoder


def test_reference_recipe_equals_plain_torch_layers(reference: Reference, ours: Decoder) -> None:
    features, domain = torch.randn(3, T, 1024), torch.tensor([0, 1, 1])
    with torch.no_grad():
        expected, curves = reference(features, domain), ours(features, domain)
    assert curves.shape == (3, T, 37) and curves.std() > 0.1
    torch.testing.assert_close(curves, expected, atol=1e-6, rtol=1e-5)


def test_reference_parameters_counted_by_hand(ours: Decoder) -> None:
    projection = 1024 * 64 + 64
    attention = 4 * (66 * 66 + 66)  # query, key, value, output
    feedforward = 66 * 2048 + 2048 + 2048 * 66 + 66
    norm = 2 * 66
    layers = (attention + feedforward + 2 * norm) + (2 * attention + feedforward + 3 * norm)
    head = 66 * 37 + 37
    domains = 2 * 2  # the table of one-hots
    assert sum(weight.numel() for weight in ours.parameters()) == projection + domains + layers + head
    assert not list(ours.buffers()), "the reference normalises no features and knows no positions"


def test_reference_dropout_stands_before_tanh_and_in_the_layers(ours: Decoder) -> None:
    features, domain = torch.randn(4, T, 1024), torch.zeros(4, dtype=torch.long)
    ours.train()
    with torch.no_grad():
        curves = ours(features, domain)
    ours.eval()
    assert 0.05 < (curves == 0).float().mean() < 0.15
    assert all(layer.dropout.p == 0.1 for layer in (*ours.encoder, *ours.decoder))


def shuffled(decoder: Decoder, size: int) -> tuple[Tensor, Tensor]:
    """(curves of shuffled features, shuffled curves of the features)."""
    features, domain, order = torch.randn(2, T, size), torch.zeros(2, dtype=torch.long), torch.randperm(T)
    with torch.no_grad():
        return decoder(features[:, order], domain), decoder(features, domain)[:, order]


def test_reference_does_not_know_the_order_of_frames(ours: Decoder) -> None:
    torch.testing.assert_close(*shuffled(ours, 1024), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("option", ["positional=sinusoidal", "conv_layers=1"])
def test_position_and_convolutions_tell_the_order(option: str) -> None:
    plain = ("model.positional=none", "model.conv_layers=0")
    torch.testing.assert_close(*shuffled(decoder_of(*plain), 20), atol=1e-5, rtol=1e-4)
    there, here = shuffled(decoder_of(*plain, f"model.{option}"), 20)
    assert (there - here).abs().max() > 1e-2


def test_positions_are_those_of_the_paper() -> None:
    position = decoder_of(
        "model.positional=sinusoidal", "model.width=7", "model.heads=1", "model.domain_one_hot=false"
    ).position
    waves = position(torch.zeros(1, 9, 7))[0]
    for frame in (0, 1, 8):
        for place in range(7):
            angle = torch.tensor(frame / 10_000 ** (2 * (place // 2) / 7))
            expected = angle.cos() if place % 2 else angle.sin()
            assert waves[frame, place].item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_hears_neighbours_only(kernel: int) -> None:
    off = ("model.positional=none", "model.encoder_layers=0", "model.decoder_layers=0")
    decoder = decoder_of(*off, "model.conv_layers=2", f"model.conv_kernel={kernel}")
    features = torch.randn(1, 21, 20)
    other = features.clone()
    other[0, 10] += 1
    with torch.no_grad():
        moved = (decoder(features, torch.tensor([0])) - decoder(other, torch.tensor([0]))).abs().amax(dim=(0, 2)) > 1e-7
    assert moved[10] and moved.sum() == 2 * (kernel - 1) + 1


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize(
    "options",
    [
        ("heads=1", "width=7"),
        ("heads=4", "width=8", "positional=none"),
        ("conv_layers=2", "conv_kernel=3"),
        ("encoder_layers=0", "decoder_layers=0"),
        ("encoder_layers=3", "decoder_layers=2", "feedforward=5"),
        ("output=tanh", "normalise_features=false"),
        ("domain_one_hot=false",),
    ],
    ids=" ".join,
)
def test_every_option_gives_a_curve_a_channel(names: tuple[str, ...], options: tuple[str, ...]) -> None:
    overrides = [f"model.{option}" for option in options]
    config = config_of(domains(*names), *overrides, file="default.yml")
    decoder = decoder_of(domains(*names), *overrides, channels=5)
    one_hot = len(names) > 1 and "domain_one_hot=false" not in options
    assert (config.domain_size >= len(names)) if one_hot else (config.domain_size == 0)
    assert (config.model.width + config.domain_size) % config.model.heads == 0
    for frames in (1, 2, T):
        features = torch.randn(1, frames, 20).expand(len(names), -1, -1)
        curves = decoder(features, torch.arange(len(names)))
        assert curves.shape == (len(names), frames, 5) and curves.isfinite().all()
        curves.sum().backward()
    assert all(weight.grad is not None for weight in decoder.parameters())
    if len(names) > 1:
        assert bool((curves[0] - curves[1]).abs().max() > 1e-4) == one_hot, "domains differ where they are told apart"


def test_more_domains_than_columns_have_directions_of_their_own() -> None:
    decoder = decoder_of(domains(*"abcdefgh"), "model.heads=1", "model.domain_size=2")
    assert decoder.domain is not None and decoder.domain.weight.shape == (8, 2)
    assert len(torch.unique(decoder.domain.weight, dim=0)) == 8
    assert torch.equal(decoder_of(domains("a", "b"), "model.heads=1").domain.weight, torch.eye(2))  # type: ignore[union-attr]


@pytest.mark.parametrize(("output", "bounded"), [("tanh", True), ("linear", False)])
def test_tanh_bounds_the_curves_to_one_std(output: str, bounded: bool) -> None:
    decoder = decoder_of(f"model.output={output}")
    decoder.head.linear.weight.data *= 100
    assert bool(decoder(torch.randn(2, T, 20), torch.zeros(2, dtype=torch.long)).abs().max() <= 1) == bounded


def test_feature_norm_is_kept_with_the_weights() -> None:
    decoder = decoder_of("model.normalise_features=true")
    assert isinstance(decoder.normalise, FeatureNorm)
    features = torch.randn(2, T, 20)
    decoder.normalise.mean.copy_(torch.arange(20.0))
    decoder.normalise.std.copy_(torch.arange(1.0, 21.0))
    raw = features * torch.arange(1.0, 21.0) + torch.arange(20.0)
    torch.testing.assert_close(decoder.normalise(raw), features, atol=1e-5, rtol=1e-5)
    assert {"normalise.mean", "normalise.std"} <= decoder.state_dict().keys()
    assert not any(name.startswith("normalise") for name, _ in decoder.named_parameters()), "measured, not trained"
    assert not any("normalise" in name for name in decoder_of("model.normalise_features=false").state_dict())


def test_text_is_columns_beside_the_features() -> None:
    plain, reads = decoder_of(), decoder_of("text.stream=phones")
    assert reads.head.linear.in_features == plain.head.linear.in_features + 32
    assert plain.text is None and not any(name.startswith("text") for name in plain.state_dict())
    assert reads.text is not None
    unit, position = torch.tensor([[5, 5, 7]], dtype=torch.uint8), torch.tensor([[0.0, 0.5, 0.25]])
    said = reads.text(unit, position)
    assert said.shape == (1, 3, 32) and torch.equal(said[0, :, -1], position[0])
    assert torch.equal(said[0, 0, :-1], said[0, 1, :-1]) and not torch.equal(said[0, 0, :-1], said[0, 2, :-1])


def test_without_a_transcript_all_frames_are_none() -> None:
    decoder = decoder_of("text.stream=phones")
    features, domain = torch.randn(2, T, 20), torch.zeros(2, dtype=torch.long)
    none, some = torch.full((2, T), NONE, dtype=torch.uint8), torch.full((2, T), 9, dtype=torch.uint8)
    position = torch.zeros(2, T)
    with torch.no_grad():
        alone = decoder(features, domain)
        assert torch.equal(decoder(features, domain, none, position), alone)
        assert (decoder(features, domain, some, position) - alone).abs().max() > 1e-3
        assert (decoder(features, domain, some, position + 0.5) - decoder(features, domain, some, position)).any()


@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_a_share_of_texts_is_hidden_in_training_and_whole_examples_only(drop: float) -> None:
    text = decoder_of("text.stream=phones", f"text.drop={drop}").text
    assert text is not None
    unit, position = torch.full((4000, 3), 9, dtype=torch.uint8), torch.full((4000, 3), 0.5)
    with torch.no_grad():
        hidden = (text.train()(unit, position) == text(unit * 0, position * 0)).all(dim=2)
        assert torch.equal(hidden.any(dim=1), hidden.all(dim=1))
        assert hidden[:, 0].float().mean().item() == pytest.approx(drop, abs=0.03)  # four standard deviations
        assert not (text.eval()(unit, position) == text(unit * 0, position * 0)).all(dim=2).any()
