import math

import numpy as np
import pytest
import torch

from config.load import ROOT, load_config
from config.schema import LOSS_NAMES, Loss
from dataset.blendshapes import ARKIT
from dataset.lip_gap import GAP_MM, gap_moves
from dataset.phone_classes import CLASSES, UNKNOWN
from dataset.stats import Stats
from dataset.windows import Batch
from model import losses as losses_module
from model.learner import Prediction
from model.losses import LOSSES, compute_losses, lip_gap
from postprocess.score.lips import MEASURES, linear_map


def loss_of(**weights: object) -> Loss:
    overrides = [
        f"loss.{name}={value}" for name, value in ({"dtw": 0.0, "mse": 0.0, "velocity": 0.0} | weights).items()
    ]
    return load_config(ROOT / "config" / "default.yml", overrides).loss


def losses_of(
    prediction: torch.Tensor, target: torch.Tensor, loss: Loss, heard: list[list[int]] | None = None
) -> dict[str, torch.Tensor]:
    """Of curves (B, T, channels); of logits (B, T, classes) too, where `heard` says what is heard."""
    nothing = torch.zeros(len(target), 0)
    if heard is None:
        return compute_losses(Prediction(prediction), Batch(nothing, target, nothing), loss)
    batch = Batch(nothing, target, nothing, phones=torch.tensor(heard, dtype=torch.int8))
    return compute_losses(Prediction(target, prediction), batch, loss)


@pytest.fixture
def curves() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 4, 3, requires_grad=True), torch.randn(2, 4, 3)


def test_each_loss_by_hand(curves: tuple[torch.Tensor, torch.Tensor]) -> None:
    prediction, target = curves
    losses = losses_of(prediction, target, loss_of(mse=2.0, l1=0.5, velocity=3.0))
    pairs = [(b, t, c) for b in range(2) for t in range(4) for c in range(3)]
    error = {place: (prediction[place] - target[place]).item() for place in pairs}
    mse = sum(value**2 for value in error.values()) / 24
    l1 = sum(abs(value) for value in error.values()) / 24
    velocity = sum((error[b, t, c] - error[b, t - 1, c]) ** 2 for b, t, c in pairs if t) / 18
    assert list(losses) == ["mse", "l1", "velocity", "total"]
    assert [loss.item() for loss in losses.values()] == pytest.approx(
        [mse, l1, velocity, 2 * mse + 0.5 * l1 + 3 * velocity], rel=1e-5
    )
    losses["total"].backward()
    assert prediction.grad is not None and (prediction.grad != 0).all()


def test_lips_that_part_where_they_are_shut_cost_and_others_hardly() -> None:
    """Jaw and MouthClose alone, of stds 0.2 and 0.1, of mean 0.1 and 0: at rest 2.852 mm, by hand."""
    channels, one = ("JawOpen", "MouthClose"), np.ones(2)
    stats = Stats(channels, np.array([0.1, 0.0]), np.array([0.2, 0.1]), 0 * one, one, frames=9, clips=("a",))
    lips = lip_gap(stats, "channel")
    target = torch.tensor([[[-0.5, 0.0], [1.0, 0.0]]])  # 0 mm, 0.3 * 28.52 = 8.556 mm
    wide, narrow = torch.tensor([[[0.0, 0.0], [1.5, 0.0]]]), torch.tensor([[[-1.0, 1.0], [0.0, 0.0]]])
    nothing, loss = torch.zeros(1, 0), loss_of(closure=1.0)
    costs = [
        compute_losses(Prediction(p), Batch(nothing, target, nothing), loss, lips)["closure"] for p in (wide, narrow)
    ]
    assert costs[0].item() == pytest.approx((2.852**2 + 2.852**2 * math.exp(-8.556)) / 2, rel=1e-4)
    assert costs[1].item() == 0  # lips shut too far are no business of this loss


def test_the_gap_is_our_head_s() -> None:
    gap = linear_map().moves[:, MEASURES.index("gap")]
    np.testing.assert_allclose(gap_moves(ARKIT), gap, atol=0.006)
    assert set(GAP_MM) <= set(ARKIT) and linear_map().rest[0] == 0


def test_equal_curves_lose_nothing(curves: tuple[torch.Tensor, torch.Tensor]) -> None:
    losses = losses_of(curves[1], curves[1], loss_of(mse=1.0, l1=1.0, velocity=1.0))
    assert all(loss == 0 for loss in losses.values())


def test_dtw_is_told_its_mode_and_band_and_left_alone_without_a_weight(
    curves: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def dtw_loss(prediction: torch.Tensor, target: torch.Tensor, **how: object) -> torch.Tensor:
        calls.append(how)
        return (prediction - target).square().sum()

    monkeypatch.setattr(losses_module, "dtw_loss", dtw_loss)
    losses_of(*curves, loss_of(mse=1.0))
    assert not calls
    losses_of(*curves, loss_of(dtw=1.0, dtw_mode="fastdtw"))
    losses = losses_of(*curves, loss_of(dtw=0.5, dtw_mode="exact", dtw_band=7))
    assert calls == [{"mode": "fastdtw", "band": None}, {"mode": "exact", "band": 7}]
    assert losses["total"].item() == pytest.approx(0.5 * losses["dtw"].item())


def test_the_sounds_that_are_known_are_learnt_and_the_others_not(curves: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits = torch.randn(2, 4, len(CLASSES), requires_grad=True)
    heard = [[0, 3, UNKNOWN, 1], [UNKNOWN] * 4]
    losses = losses_of(logits, curves[1], loss_of(mse=1.0, phones=0.5), heard)
    of_known = [logits[0, t].logsumexp(0) - logits[0, t, number] for t, number in ((0, 0), (1, 3), (3, 1))]
    assert list(losses) == ["mse", "phones", "total"]
    assert losses["phones"].item() == pytest.approx(torch.stack(of_known).mean().item(), rel=1e-5)
    assert losses["total"].item() == pytest.approx(0.5 * losses["phones"].item())
    losses["total"].backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum(-1) > 0).tolist() == [[True, True, False, True], [False] * 4]


def test_where_no_sound_is_known_nothing_is_lost(curves: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits = torch.randn(2, 4, len(CLASSES), requires_grad=True)
    losses = losses_of(logits, curves[1], loss_of(phones=1.0), [[UNKNOWN] * 4] * 2)
    losses["total"].backward()
    assert losses["total"] == 0 and logits.grad is not None and not logits.grad.any()


def test_names_in_the_order_of_the_log() -> None:
    assert list(loss_of(velocity=1.0, dtw=1.0).weights) == ["dtw", "velocity"]
    assert tuple(LOSSES) == LOSS_NAMES


@pytest.mark.parametrize("name", ["dtw", "mse", "l1", "velocity"])
def test_a_channel_that_is_not_captured_costs_nothing_and_learns_nothing(
    curves: tuple[torch.Tensor, torch.Tensor], name: str
) -> None:
    prediction, target = curves
    captured, loss = torch.tensor([[True, False, True], [True, True, False]]), loss_of(**{name: 1.0})
    nothing = torch.zeros(2, 0)
    batch = Batch(nothing, target, nothing, captured=captured)
    total = compute_losses(Prediction(prediction), batch, loss)["total"]
    total.backward()
    assert prediction.grad is not None
    mask = captured[:, None, :]
    assert not prediction.grad[(~mask).expand(2, 4, 3)].any()
    assert (prediction.grad.abs().sum(1)[captured] > 0).all()
    parts = []  # each example's captured channels by themselves, counted as if there were all three
    for one, other, counts in zip(prediction.detach(), target, captured, strict=True):
        of_one = losses_of(one[None, :, counts], other[None, :, counts], loss)["total"]
        parts.append(of_one * counts.sum() / 3)
    assert total.item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-5)
    changed = torch.where(mask, target, torch.full_like(target, 9.0))
    assert (
        compute_losses(Prediction(prediction), Batch(nothing, changed, nothing, captured=captured), loss)["total"]
        == total
    )
