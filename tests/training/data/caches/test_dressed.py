"""Dressing rendered records into shards like those of drawn pairs."""

from pathlib import Path

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from tests.support.rendered import stand_in
from training.data.caches import snapshot
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import DrawnPairs, draw_shards
from training.data.caches.dressed import dress_shards
from training.data.contract.laid_out import FIRST_OF_FILES, name_number
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate

TINY = DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two garments with three photos in all."""
    folder = tmp_path_factory.mktemp("records")
    generate(folder, range(2), RenderSettings((48, 64)), 1, maker=stand_in.make_record)
    return str(folder)


def test_every_photo_is_dressed_once_and_then_again(records: str, tmp_path: Path) -> None:
    assert dress_shards(tmp_path, records, 5, TINY, workers=1, shard_size=4) == 5
    pairs = DrawnPairs(tmp_path)
    assert pairs.names == [
        "garment-000000000/photo-0", "garment-000000001/photo-0", "garment-000000001/photo-1",
        "garment-000000000/photo-0/dress-1", "garment-000000001/photo-0/dress-1",
    ]  # fmt: skip
    assert pairs.seeds == [0, 1, 1, 0, 1] and pairs.categories == ["upper", "lower", "lower", "upper", "lower"]
    taken = pairs.pictures(range(5))
    assert taken["person"].shape == (5, 3, 32, 24) and taken["crop"].shape == (5, 3, 16, 16)
    assert torch.equal(taken["garment"][1], taken["garment"][2])  # the same garment in the same fabric
    assert not torch.equal(taken["garment"][0], taken["garment"][3])
    assert all(name_number(name) >= FIRST_OF_FILES for name in pairs.names)
    assert pairs.described["data"] == {"split": "train"} and pairs.described["rendered"][0]["photos"] == 3


def test_shards_grow_and_workers_dress_the_same(records: str, tmp_path: Path) -> None:
    dress_shards(tmp_path / "one", records, 2, TINY, workers=1, shard_size=2)
    assert dress_shards(tmp_path / "one", records, 4, TINY, workers=1, shard_size=2) == 2
    dress_shards(tmp_path / "two", records, 4, TINY, workers=2, shard_size=2)
    one, two = DrawnPairs(tmp_path / "one"), DrawnPairs(tmp_path / "two")
    assert all(
        torch.equal(one.take(name, range(4)), two.take(name, range(4))) for name in ("person", "mask", "garment")
    )


def test_drawn_and_rendered_pairs_share_a_folder(records: str, tmp_path: Path) -> None:
    draw_shards(tmp_path, 2, 0, TINY, workers=1)
    before = DrawnPairs(tmp_path).described
    assert set(before) == {"drawn"}
    dress_shards(tmp_path, records, 3, TINY, workers=1)
    pairs = DrawnPairs(tmp_path)
    assert pairs.names[:3] == ["seed-000000000", "seed-000000001", "garment-000000000/photo-0"]
    assert pairs.correspondence(0) is None and pairs.correspondence(2) is not None
    assert pairs.described["drawn"] == before["drawn"]


def test_other_records_are_refused(records: str, tmp_path: Path) -> None:
    dress_shards(tmp_path / "out", records, 3, TINY, workers=1)
    generate(tmp_path / "other", range(1, 3), RenderSettings((48, 64)), 1, maker=stand_in.make_record)
    with pytest.raises(IGRError, match="was made from other records: .*other has no seed 0. Draw into another"):
        dress_shards(tmp_path / "out", str(tmp_path / "other"), 3, TINY, workers=1)
    generate(tmp_path / "size", range(2), RenderSettings((24, 32)), 1, maker=stand_in.make_record)
    with pytest.raises(IGRError, match="was made from other records or by other code: draw into another folder"):
        dress_shards(tmp_path / "out", str(tmp_path / "size"), 3, TINY, workers=1)


def test_a_folder_keeps_using_the_records_that_it_was_started_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = str(tmp_path / "records")
    generate(records, range(2), RenderSettings((48, 64)), 1, maker=stand_in.make_record, per_shard=1)
    dress_shards(tmp_path / "out", records, 2, TINY, workers=1, shard_size=2)
    generate(records, range(4), RenderSettings((48, 64)), 1, maker=stand_in.make_record, per_shard=1)
    assert dress_shards(tmp_path / "out", records, 4, TINY, workers=2, shard_size=2) == 2
    assert "out: 2 garments with 3 photos in" in (told := capsys.readouterr().err) and "2 newer ones" in told
    assert DrawnPairs(tmp_path / "out").names[3] == "garment-000000000/photo-0/dress-1"
    dress_shards(tmp_path / "new", records, 4, TINY, workers=1)
    assert "garment-000000002/photo-0" in DrawnPairs(tmp_path / "new").names


def test_shards_that_other_code_dressed_do_not_grow(
    records: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dress_shards(tmp_path, records, 1, TINY, workers=1, shard_size=1)
    monkeypatch.setattr(snapshot, "dress_fingerprint", lambda: "edited")
    with pytest.raises(IGRError, match="was made from other records or by other code: draw into another folder"):
        dress_shards(tmp_path, records, 2, TINY, workers=1, shard_size=1)


def test_the_correspondence_leads_to_the_laid_out_person(records: str, tmp_path: Path) -> None:
    whole = DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16, view=ViewConfig())
    dress_shards(tmp_path, records, 1, whole, workers=1)
    flow = DrawnPairs(tmp_path).correspondence(0).float()
    rows, columns = torch.nonzero(flow.isfinite().all(0), as_tuple=True)
    assert len(rows) > 50
    # the stand-in's garment is in the same place in photo and product shot; half a pixel is 1 / 48
    assert torch.allclose(flow[0, rows, columns], (columns + 0.5) / 24 * 2 - 1, atol=1 / 48 + 1e-3)
    assert torch.allclose(flow[1, rows, columns], (rows + 0.5) / 32 * 2 - 1, atol=1 / 64 + 1e-3)
