"""Outlines of rendered garments: labels of product shots, and the command that collects them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from igr_core.flatten.outline_file import OutlineSet, load_outlines
from tests.support.rendered.views_by_hand import shirt_view
from training.cli.app import app
from training.small_models.flattener import outlines
from training.small_models.flattener.outlines import NECK, labels_of


def test_labels_are_symmetric_and_cover_the_garment() -> None:
    view = shirt_view(192, 256, product=True)
    labels = labels_of(view)
    assert labels.shape == (256, 192) and np.array_equal(labels, labels[:, ::-1])
    assert abs((labels > 0).mean() - (view.labels != 255).mean()) < 0.01


def test_only_the_neck_shows_the_inside() -> None:
    view = shirt_view(192, 256, product=True)
    insides = tuple(type(one)(one.kind, one.panel, inside=True) for one in view.table)
    labels = labels_of(type(view)(**{**view.__dict__, "table": insides}))
    rows = np.nonzero((labels > 0).any(1))[0]
    neck = rows[0] + round(NECK * (rows[-1] + 1 - rows[0]))
    assert (labels[rows[0] : neck][labels[rows[0] : neck] > 0] == 2).all()
    assert (labels[neck:][labels[neck:] > 0] == 1).all()


def test_the_command_writes_what_it_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def collect(*words: object) -> OutlineSet:
        asked.append(words)
        return OutlineSet(np.ones((1, 64, 48), np.uint8), np.zeros(1, np.uint8))

    monkeypatch.setattr(outlines, "collect", collect)
    words = ["collect-outlines", "--count", "4", "--start", "7", "--size", "96x128", "--workers", "1", "--out"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "a.npz")])
    assert done.exit_code == 0 and asked == [(4, 7, (96, 128), 1)], done.output
    assert load_outlines(tmp_path / "a.npz").labels.shape == (1, 64, 48)
    done = CliRunner().invoke(app, [*words, str(tmp_path / "a.txt")])
    assert done.exit_code == 2 and "use the extension .npz" in done.output and len(asked) == 1
