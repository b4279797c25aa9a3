"""Trainings of a few steps: on one thread, without pictures of their losses."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order whatever the machine, so that runs can be compared bit by bit."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def no_loss_pictures() -> Iterator[None]:
    """They take longer than these trainings; test_loss_picture.py draws its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.loss_picture.write_loss_picture", lambda *_: None)
        yield
