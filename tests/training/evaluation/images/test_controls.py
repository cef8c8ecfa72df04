"""Controls: the contents of each; none of them needs a model's output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from igr_core.restore.restorer import GarmentRestorer
from tests.support.models.tiny import save_runnable
from training.data.layouts.synthetic_pairs import SyntheticConfig, SyntheticPairs
from training.evaluation.images.controls import (
    CONTROLS,
    FILL,
    TITLES,
    blurred,
    nearest,
    pasted_crop,
    rotated,
    write_control,
)
from training.evaluation.images.subjects import Subjects


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Subjects, GarmentRestorer]:
    place = tmp_path_factory.mktemp("controls")
    subjects = Subjects(SyntheticPairs(SyntheticConfig(10_000_000, 4, (96, 128))))
    restorer = GarmentRestorer.from_bundle(save_runnable(place / "tiny.safetensors"))
    subjects.write(place, restorer.info.model, labels=True)
    return place, subjects, restorer


def pictures(folder: Path, subjects: Subjects) -> np.ndarray:
    return np.stack([np.array(Image.open(folder / f"{name}.png").convert("RGB")) for name in subjects.names])


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_has_a_picture_of_the_models_size_for_every_pair(
    name: str, place: tuple[Path, Subjects, GarmentRestorer], tmp_path: Path
) -> None:
    base, subjects, restorer = place
    training = Subjects(SyntheticPairs(SyntheticConfig(0, 6, (96, 128))))
    write_control(name, tmp_path, subjects, base / "truth", restorer, training)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(subjects.names)
    assert pictures(tmp_path, subjects).shape == (4, 64, 48, 3) and name in TITLES
    if name == "white":
        assert pictures(tmp_path, subjects).min() == 255


def test_the_nearest_of_the_pairs_themselves_is_their_own_garment(
    place: tuple[Path, Subjects, GarmentRestorer], tmp_path: Path
) -> None:
    base, subjects, restorer = place
    write_control("nearest", tmp_path, subjects, base / "truth", restorer, subjects)
    assert (pictures(tmp_path, subjects) == pictures(base / "truth", subjects)).all()


def test_nearest_stays_in_the_category_where_it_can() -> None:
    known = torch.tensor([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.0]])
    wanted = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert nearest(wanted, ["upper", "lower"], known, ["upper", "lower", "lower"]) == [0, 1]
    assert nearest(wanted[:1], ["full"], known, ["upper", "lower", "lower"]) == [0]


def test_rotation_and_blur_leave_the_background_white() -> None:
    picture = Image.new("RGB", (96, 128), "white")
    picture.paste((200, 0, 0), (30, 40, 66, 90))
    turned, soft = np.array(rotated(picture)), np.array(blurred(picture))
    for one in (turned, soft):
        assert (one[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        assert not (one == np.array(picture)).all()
        assert abs(float(one.mean()) - float(np.array(picture).mean())) < 1.5


def test_labels_and_pictures_are_written_once(place: tuple[Path, Subjects, GarmentRestorer]) -> None:
    base, subjects, restorer = place
    before = {path: path.stat().st_mtime_ns for path in base.rglob("*.png")}
    subjects.write(base, restorer.info.model, labels=True)
    assert before == {path: path.stat().st_mtime_ns for path in base.rglob("*.png")}
    assert (base / "labels.json").read_text().count('"pattern"') == 4


@pytest.mark.parametrize("box", [(10, 20, 30, 50), (2, 30, 46, 40), (0, 0, 48, 64)])
def test_pasted_crop_is_centred_and_fills_the_tighter_dimension(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    mask = torch.zeros(1, 1, 64, 48)
    mask[..., top:bottom, left:right] = 1
    pasted = pasted_crop(torch.full((1, 3, 64, 48), 0.2), mask)
    rows, columns = ((pasted < 0.9)[0].any(0).any(dim).nonzero().flatten() for dim in (1, 0))
    height, width = len(rows), len(columns)
    assert max(height / 64, width / 48) == pytest.approx(FILL, abs=0.03)
    assert width / height == pytest.approx((right - left) / (bottom - top), rel=0.1)
    assert abs(int(rows[0]) + int(rows[-1]) - 63) <= 1 and abs(int(columns[0]) + int(columns[-1]) - 47) <= 1
    assert float(pasted[..., 32, 24].max()) == pytest.approx(0.2, abs=0.01)


def test_pasted_crop_hides_what_the_mask_excludes_and_survives_an_empty_mask() -> None:
    person = torch.zeros(1, 3, 64, 48)
    mask = torch.zeros(1, 1, 64, 48)
    assert bool((pasted_crop(person, mask) == 1).all())
    mask[..., 10:20, 10:20] = 1
    mask[..., 13:17, 13:17] = 0
    assert float(pasted_crop(person, mask)[..., 32, 24].min()) > 0.9
