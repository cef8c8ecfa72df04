"""Training photos of parser and segmenter: drawn, rendered or both, and separate from held-out ones."""

from dataclasses import replace

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.data.contract.seeds import HELD_OUT_START
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate
from training.small_models.held_out import held_out_photos
from training.small_models.photos import PhotoTraining, describe_photos, open_photos

SIZE = (48, 64)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> PhotoTraining:
    """Seven photos, three of them rendered, and four to measure on."""
    folder = tmp_path_factory.mktemp("photos")
    generate(folder / "records", range(2), RenderSettings(SIZE), 1, maker=stand_in.make_record)
    held_out = RenderSettings(SIZE, held_out=True)
    generate(folder / "held", range(HELD_OUT_START, HELD_OUT_START + 2), held_out, 1, maker=stand_in.make_record)
    return PhotoTraining(
        run=str(folder / "run"),
        data=str(folder / "train"),
        held_out=str(folder / "measured"),
        photos=7,
        validation_pairs=4,
        kind="mixed",
        records=str(folder / "records"),
        held_out_records=str(folder / "held"),
        rendered_share=0.4,
    )


def test_drawn_and_rendered_photos_are_mixed_by_their_share(config: PhotoTraining) -> None:
    photos = open_photos(config, SIZE)
    assert photos.seeds == [0, 1, 2, 3, 0, 1, 1] and len(photos.skirts()) == 7
    persons, parsing = photos.take(range(7))
    assert persons.shape == (7, 3, 64, 48) and parsing.shape == (7, 64, 48)
    assert describe_photos(config, 7) == "4 procedurally drawn and 3 rendered photos"
    assert open_photos(replace(config, kind="rendered", photos=5), SIZE).seeds == [0, 1, 1, 0, 1]
    assert open_photos(replace(config, kind="drawn"), SIZE).seeds == list(range(7))


def test_held_out_photos_are_of_held_out_seeds(config: PhotoTraining) -> None:
    assert min(open_photos(config, SIZE, held_out=True).seeds) >= HELD_OUT_START
    with pytest.raises(IGRError, match="seeds from 10000000 on are held out: specify records other"):
        open_photos(replace(config, records=config.held_out_records, data=f"{config.data}-wrong"), SIZE)
    with pytest.raises(IGRError, match="contains training records"):
        open_photos(replace(config, held_out_records=config.records, held_out=f"{config.data}-other"), SIZE, True)


def test_rendered_kinds_need_records() -> None:
    with pytest.raises(IGRError, match="kind mixed needs records and held_out_records"):
        PhotoTraining(run="run", kind="mixed")


def test_measured_photos_are_those_of_the_records(config: PhotoTraining) -> None:
    assert config.held_out_records is not None
    photos = list(held_out_photos(3, SIZE, records=config.held_out_records))
    assert [one.photo.size for one in photos] == [SIZE] * 3
    assert all(one.seed >= HELD_OUT_START and one.mask.any() and one.parsing.shape == (64, 48) for one in photos)
    assert all(np.array_equal(one.pixels()[0].permute(1, 2, 0) * 255, np.array(one.photo)) for one in photos)
    with pytest.raises(IGRError, match="held-out photos, but 99 were requested: choose a smaller --count"):
        list(held_out_photos(99, SIZE, records=config.held_out_records))
