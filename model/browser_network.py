"""A checkpoint that streams as what a program without numpy can run: numbers for JSON, and arrays by name.

postprocess/viewer/talk.js does with them what model.streaming does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT
from model.causal_model import NORM_EPSILON, CausalModel
from model.lookahead import HEARD_STEPS
from model.mel import FLOOR

LOOKAHEADS_MS = (0.0, 50.0, 100.0, 200.0)  # that a person chooses from, where the checkpoint is trained for them


@dataclass(frozen=True)
class BrowserNetwork:
    """numbers: JSON-able. arrays: flat in a file's order, float16 where that loses nothing and float32 elsewhere."""

    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray]


def browser_network(model: CausalModel) -> BrowserNetwork:
    """What a streaming checkpoint computes with, for each look-ahead of LOOKAHEADS_MS that it serves.

    Arrays: window, filters, project (W, heard), head (channels, W), head_bias, mean, scale, domains (domains, columns);
    of layer n weight_n (W, kernel · W) and bias_n; of look-ahead i means_i, stds_i, offset_i (of the projection), and
    of layer n with it scale_n_i and shift_n_i.
    """
    grid, settings = model.delays.grid, model.header.config.model
    choices = lookaheads_ms(model)
    delays = [model.delays.at(chosen) for chosen in choices]
    numbers = {
        "rateHz": SAMPLE_RATE,
        "fps": model.fps,
        "values": len(ARKIT),
        "places": [int(place) for place in model.places],
        "domains": model.header.domains,
        "lookaheads": [
            {"ms": chosen, "heardMs": model.delays.heard_ms(delay), "delay": delay}
            for chosen, delay in zip(choices, delays, strict=True)
        ],
        "usual": choices.index(min(choices, key=lambda chosen: abs(chosen - model.delays.usual_ms))),
        "ahead": model.delays.ahead,
        "stepsPerFrame": grid.settings.steps_per_frame,
        "heardSteps": HEARD_STEPS,
        "bands": grid.settings.bands,
        "spacing": grid.spacing.as_integer_ratio(),
        "windowSize": grid.window_size,
        "fftSize": grid.fft_size,
        "floor": FLOOR,
        "epsilon": NORM_EPSILON,
        "layers": len(model.layers),
        "kernel": settings.conv_kernel,
        "output": settings.output,
    }
    arrays = {
        "window": grid.window,
        "filters": grid.filters,
        "project": model.project.T,
        "head": model.head.T,
        "head_bias": model.head_bias,
        "mean": model.mean,
        "scale": np.broadcast_to(model.scale, model.mean.shape),
        "domains": model.domain_vectors,
    }
    for number, layer in enumerate(model.layers):
        arrays |= {f"weight_{number}": layer.weight.T, f"bias_{number}": layer.bias}
    for index, delay in enumerate(delays):
        arrays |= _of_delay(model, index, delay - model.delays.lowest)
    return BrowserNetwork(numbers, {name: _short(array) for name, array in arrays.items()})


def lookaheads_ms(model: CausalModel) -> list[float]:
    """Those of LOOKAHEADS_MS that the checkpoint is trained for, or the one that is usual with it."""
    least, most = model.delays.lookahead_ms
    return [chosen for chosen in LOOKAHEADS_MS if least <= chosen <= most] or [model.delays.usual_ms]


def _of_delay(model: CausalModel, index: int, place: int) -> dict[str, np.ndarray]:
    """place: the delay in steps, counted from the lowest."""
    arrays = {
        f"means_{index}": model.step_means[place],
        f"stds_{index}": model.step_stds[place],
        f"offset_{index}": model.project_bias + model.delay_vectors[place],
    }
    for number, layer in enumerate(model.layers):
        arrays |= {f"scale_{number}_{index}": layer.scale[place], f"shift_{number}_{index}": layer.offset[place]}
    return arrays


def _short(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), array) else array.astype(np.float32)
