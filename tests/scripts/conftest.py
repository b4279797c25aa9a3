"""Trainings of a few steps, without pictures of their losses."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_loss_pictures() -> Iterator[None]:
    """They take longer than these trainings; test_loss_picture.py draws its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.loss_picture.write_loss_picture", lambda *_: None)
        yield
