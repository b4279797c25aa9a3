"""The style of a few seconds of someone's curves, without training: a synthesizer that moves a face as they do.

Of each decoder the domain's vector is fitted by a few steps of an optimiser, and the head in closed form. Both lean on
what is learnt already, so that ten seconds do.
"""

from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from config.errors import UserError
from config.files import written_whole
from config.schema import Domain
from config.units import frame_count
from dataset.audio import open_sound
from dataset.blendshapes import ARKIT, indices, to_arkit
from dataset.corpus import sound_beside, uncaptured_beside
from dataset.recordings.layouts import read_recording
from dataset.recordings.timing import USUAL_FPS
from dataset.stats import compute_stats
from model.checkpoint import WEIGHTS, Header, prefixed, save_checkpoint
from model.decoder import Decoder
from model.synthesis import Member, Synthesizer
from model.transfer import head_rows

LEAST_S = 1.0
PRIOR_S = 5.0  # seconds of curves in which the checkpoint's head would be right, that are added to those seen
STEPS = 20  # of the optimiser
NEAR_BOUND = 0.95  # of a head that ends in tanh: as near as it is asked to come
STYLE = "style"  # the name of the one domain


def style_of(synthesizer: Synthesizer, take: str | Path, sound: str | Path | None = None) -> Synthesizer:
    """A synthesizer in the style of a take: a recording of any layout and its sound, by default the one beside it.

    Where the recording tells no rate, it is the synthesizer's or the usual one, as the sound's length has it.
    Raises UserError for what cannot be read, a take of less than LEAST_S, and curves and sound that do not last alike.
    """
    take = Path(take)
    recording = read_recording(take, required=())
    with open_sound(Path(sound) if sound else sound_beside(take)) as opened:
        audio = np.concatenate(list(opened.blocks))
    rates = (synthesizer.fps, USUAL_FPS)
    told = recording.with_rate(min(rates, key=lambda fps: abs(recording.frames / fps - opened.seconds)))
    curves = told.at_rate(synthesizer.fps).values
    curves_s, most = len(curves) / synthesizer.fps, synthesizer.header.config.data.max_gap_s
    if abs(opened.seconds - curves_s) > most:
        lasts = f"{curves_s:.2f} s, but its sound, {opened}, {opened.seconds:.2f} s"
        raise UserError(f"{take}: lasts {lasts}; give the sound of this take")
    uncaptured = uncaptured_beside(take)
    channels = tuple(name for name in recording.names if name not in uncaptured)
    return fit_style(synthesizer, audio, curves[:, indices(recording.names, channels)], channels, take.stem)


def fit_style(
    synthesizer: Synthesizer, audio: np.ndarray, curves: np.ndarray, channels: tuple[str, ...], name: str = STYLE
) -> Synthesizer:
    """A copy of the synthesizer that speaks in the style of some curves; a pure function, the same every time.

    audio: (samples,) float32 at 16 kHz; curves: (frames, len(channels)) beside it, at the synthesizer's rate, by ARKit
    name; a channel that is lacking moves as it did. name: of the take, in the stats. Raises UserError for less than
    LEAST_S.
    """
    if any(member.causal for member in synthesizer.members):
        raise UserError(f"{name}: a checkpoint that streams takes no style; give one that hears whole windows")
    frames = min(len(curves), frame_count(len(audio), synthesizer.fps))
    if frames < LEAST_S * synthesizer.fps:
        raise UserError(f"{name}: {frames / synthesizer.fps:.2f} s of curves; a style takes {LEAST_S:g} s or more")
    styled = copy(synthesizer)
    styled.members = [_styled(member, audio, curves[:frames], channels, name) for member in synthesizer.members]
    styled.header = styled.members[0].header
    return styled


def save_style(path: Path, synthesizer: Synthesizer) -> None:
    """Keep a style as a checkpoint, which whatever takes one reads. Raises UserError for an ensemble of several."""
    if len(synthesizer.members) > 1:
        raise UserError(f"{path}: an ensemble has a style in each of its checkpoints; give one of them as --ckpt_path")
    (member,) = synthesizer.members
    with written_whole(path) as partial:
        save_checkpoint(partial, member.header, prefixed(member.decoder.state_dict(), WEIGHTS))


def _styled(member: Member, audio: np.ndarray, curves: np.ndarray, channels: tuple[str, ...], name: str) -> Member:
    """The member with a decoder and a header of its own, whose one domain is the style."""
    header = styled_header(member.header, curves, channels, name)
    decoder, stats = deepcopy(member.decoder), header.stats.select(header.channels)
    scale = stats.scale(header.config.model.curve_scale)
    decoder.load_state_dict(head_rows(decoder.state_dict(), member.header, header), strict=False)
    places = [place for place, channel in enumerate(header.channels) if channel in channels and scale[place]]
    moving = tuple(header.channels[place] for place in places)
    wanted = (curves[:, indices(channels, moving)] - stats.mean[places]) / scale[places]
    fit = _Fit(member, decoder, audio, wanted, places)
    if decoder.domain:
        vector = fit.vector(decoder.domain.weight)
        decoder.domain = nn.Embedding.from_pretrained(vector[None])
    fit.head()
    styled = copy(member)
    styled.header, styled.decoder = header, decoder
    styled.mean, styled.scale = stats.mean.astype(np.float32), scale
    return styled


def styled_header(header: Header, curves: np.ndarray, channels: tuple[str, ...], name: str) -> Header:
    """The header with one domain and the curves' stats; of channels that are lacking, the stats that it has.

    curves: (frames, len(channels)), by ARKit name.
    """
    there, old = np.isin(ARKIT, channels), header.stats.select(ARKIT)
    stats = compute_stats([to_arkit(curves, channels)], [name], [there], old)
    config = header.config
    data = config.data.model_copy(update={"domains": (Domain(name=STYLE, clips=("*",), weight=1.0),)})
    model = config.model.model_copy(update={"domain_size": config.domain_size})
    config = config.model_copy(update={"data": data, "model": model})
    return replace(header, config=config, stats=stats)


class _Fit:
    """A decoder's windows of a take, and the normalised curves it should give there: (frames, len(places))."""

    def __init__(
        self, member: Member, decoder: Decoder, audio: np.ndarray, wanted: np.ndarray, places: list[int]
    ) -> None:
        self.decoder, self.places, window = decoder, places, member.hearing.window
        with open_sound(audio) as sound, torch.no_grad():
            batches = member.hearing.features(sound.blocks, np.arange(0, len(wanted), window))
            self.features = torch.cat([features.clone() for _, features in batches])
        self.wanted = torch.from_numpy(wanted).to(self.features.device, torch.float64)
        if decoder.head.is_bounded:
            self.wanted = self.wanted.clamp(-NEAR_BOUND, NEAR_BOUND).atanh()
        self.weight = PRIOR_S * member.header.fps

    def seen(self, vector: Tensor | None) -> Tensor:
        """What the head sees in each frame, (frames, width) float64, where the domain's vector is this one."""
        domain = torch.zeros(1) if vector is None else vector
        hidden = self.decoder.hidden(self.features, domain.to(self.features).expand(len(self.features), -1))
        return hidden.flatten(0, 1)[: len(self.wanted)].double()

    def lack(self, seen: Tensor) -> Tensor:
        """What the head, of what it sees, leaves: (frames, len(places))."""
        linear = self.decoder.head.linear
        return self.wanted - seen @ linear.weight[self.places].double().T - linear.bias[self.places].double()

    def vector(self, known: Tensor) -> Tensor:
        """The domain's vector, (size,), by which the head as it is comes nearest.

        known: (domains, size), of which the best, or their mean, is where the optimiser begins. To go 1 from there, as
        far as a one-hot is long, costs as much as the error there in PRIOR_S seconds.
        """
        starts = torch.cat([known, known.mean(dim=0, keepdim=True)])
        with torch.no_grad():
            errors = [float(self.lack(self.seen(start)).square().mean()) for start in starts]
        start, price = starts[int(np.argmin(errors))], min(errors) * self.weight / len(self.wanted)
        vector = start.clone().requires_grad_()
        optimizer = torch.optim.LBFGS([vector], max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            left = self.lack(self.seen(vector)).square().mean() + price * (vector - start).square().sum()
            left.backward()
            return left

        optimizer.step(loss)
        return vector.detach()

    @torch.no_grad()
    def head(self) -> None:
        """Give the decoder the head that fits: ridge regression of what it lacks on what it sees.

        A change costs as much as an error in PRIOR_S seconds.
        """
        linear = self.decoder.head.linear
        seen = self.seen(self.decoder.domain.weight[0] if self.decoder.domain else None)
        lack = self.lack(seen)
        centre, offset = seen.mean(dim=0), lack.mean(dim=0)
        x = seen - centre
        prior = self.weight * x.square().mean() * torch.eye(x.shape[1]).to(x)
        change = torch.linalg.solve(x.T @ x + prior, x.T @ (lack - offset))
        linear.weight[self.places] += change.T.to(linear.weight)
        linear.bias[self.places] += (offset - centre @ change).to(linear.bias)
