"""The cache of drawn photos with parsing maps: same seeds, same photos; it grows, and rejects other settings."""

from pathlib import Path

import numpy as np
import pytest
import torch

from igr_core.errors import IGRError
from igr_core.segmentation.labels import ATR
from training.data.caches import parsed
from training.data.caches.parsed import COARSE, ParsedPhotos, draw_parsed, drawn_labels
from training.data.synthetic import make_pair
from training.data.synthetic.painting.canvas import LABELS

SIZE = (48, 64)


def test_photos_and_labels_are_those_of_the_seeds(tmp_path: Path) -> None:
    assert draw_parsed(tmp_path, range(7, 10), SIZE) == 3
    photos = ParsedPhotos(tmp_path)
    assert photos.seeds == [7, 8, 9]
    persons, parsing = photos.take([2, 0])
    assert persons.shape == (2, 3, 64, 48) and parsing.shape == (2, 64, 48)
    pair = make_pair(9, SIZE, coarse=COARSE)
    assert np.array_equal(persons[0].permute(1, 2, 0).numpy(), np.array(pair.person))
    assert np.array_equal(parsing[0].numpy(), np.array(pair.parsing))


def test_a_folder_grows_to_the_same_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed, "SHARD", 2)
    assert draw_parsed(tmp_path / "grown", range(3), SIZE) == 3
    assert draw_parsed(tmp_path / "grown", range(5), SIZE) == 3  # the shard that was half full, and one more
    assert draw_parsed(tmp_path / "grown", range(5), SIZE) == 0
    draw_parsed(tmp_path / "whole", range(5), SIZE)
    grown, whole = ParsedPhotos(tmp_path / "grown"), ParsedPhotos(tmp_path / "whole")
    assert grown.seeds == whole.seeds == [0, 1, 2, 3, 4]
    assert all(torch.equal(one, other) for one, other in zip(grown.take(range(5)), whole.take(range(5)), strict=True))
    assert ParsedPhotos(tmp_path / "whole", range(1, 4)).seeds == [1, 2, 3]


def test_other_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_parsed(tmp_path, range(1), SIZE)
    with pytest.raises(IGRError, match="was drawn at 48x64 .*draw into another folder"):
        draw_parsed(tmp_path, range(2), (24, 32))
    monkeypatch.setattr(parsed, "fingerprint", lambda: "other")
    with pytest.raises(IGRError, match="this run needs 48x64 by other: draw into another folder"):
        draw_parsed(tmp_path, range(2), SIZE)


def test_a_file_that_is_not_a_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match=f"{tmp_path} contains no parsed photos"):
        ParsedPhotos(tmp_path)
    (tmp_path / "photos-000000000.safetensors").write_bytes(b"nothing")
    with pytest.raises(IGRError, match="photos-000000000.safetensors is not a shard of parsed photos"):
        ParsedPhotos(tmp_path)


def test_a_jacket_is_distinguished_from_the_top_beneath_it() -> None:
    names = ["background", "upper-clothes", "upper-clothes", "skirt", "left-shoe", "hat"]
    parsing = np.array([[ATR.labels.index(name) for name in names]], np.uint8)
    garment = np.array([[False, True, False, False, False, False]])

    def told(category: str, **attributes: str) -> list[str]:
        labels, skirt = drawn_labels(parsing, garment, category, {"cut": "tee", **attributes})
        assert skirt
        return [LABELS[number] for number in labels[0]]

    rest = ["lower", "left_shoe", "background"]
    assert told("upper") == ["background", "upper", "upper", *rest]
    assert told("upper", cut="jacket") == ["background", "coat", "upper", *rest]
    assert told("upper", under_jacket="yes") == ["background", "upper", "coat", *rest]
    assert told("full", under_jacket="yes") == ["background", "full", "coat", *rest]
