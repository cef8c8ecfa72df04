"""The report of times: the stages that are counted for a garment, a photo, and a photo dressed again."""

import pytest

pytest.importorskip("numba", reason="dressing needs the extra `render`")

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.data.rendered import bench as benchmark
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.base.timing import stage

SETTINGS = RenderSettings(stand_in.SIZE)
PHOTOS = (2, 3)
"""Photos of seeds 1 and 2 of the stand-in."""


def report(monkeypatch: pytest.MonkeyPatch, garments: int, start: int) -> str:
    """The report if a record takes 3 s, a product shot 0.03 s and a photo 0.05 s."""
    clock = [0.0]

    def passing(seconds: float, name: str) -> None:
        with stage(name):
            clock[0] += seconds

    def rendered(seed: int, settings: RenderSettings):
        passing(3.0, "render")
        return stand_in.make_record(seed, settings)

    def dressed(record, photo, dress_seed, product):
        assert product == ("product", record.seed, dress_seed)
        passing(0.05, "textures")

    def product(record, dress_seed):
        passing(0.03, "dress")
        return "product", record.seed, dress_seed

    monkeypatch.setattr("time.process_time", lambda: clock[0])
    monkeypatch.setattr(benchmark, "render_record", rendered)
    monkeypatch.setattr("training.data.rendered.pairs.dress_record", dressed)
    monkeypatch.setattr("training.data.rendered.pairs.dress_product", product)
    return "\n".join(benchmark.bench(garments, start, SETTINGS))


def test_a_photo_is_timed_alone_and_with_its_product_shot(monkeypatch: pytest.MonkeyPatch) -> None:
    text = report(monkeypatch, 2, 1)
    assert f"{2 * 3 / sum(PHOTOS):.2f} CPU s per new photo, including its share of the product shot" in text
    assert "50 CPU ms to dress a photo again, 80 with its product shot" in text
    assert "0 of 7 attempts rejected" in text


def test_stages_are_listed_by_garment_and_by_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {line.split()[0]: line.split()[1:] for line in report(monkeypatch, 2, 1).splitlines() if line}
    assert rows["render"] == ["3.000", "1.200"]
    again = benchmark.DRESSINGS * sum(PHOTOS)
    assert rows["textures"] == [f"{again * 0.05 / 2:.3f}", "0.050"]


def test_rejected_attempts_are_counted_and_a_seed_without_a_record_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "1 of 3 attempts rejected" in report(monkeypatch, 1, 0)  # seed 0 has one photo and was tried twice
    with pytest.raises(IGRError, match="Every attempt at seed 10 was rejected: use other seeds with --start"):
        report(monkeypatch, 2, 9)


def test_real_dressing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "render_record", stand_in.make_record)
    text = "\n".join(benchmark.bench(1, 1, SETTINGS))
    assert all(f"\n{name} " in text for name in ("encode", "decode", *benchmark.DRESSING))
