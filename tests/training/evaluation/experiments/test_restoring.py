"""Rows that restore from several photos, and with the photos' details, compared with the same steps by hand."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.flatten.model_file import load_flattener
from igr_core.included import INCLUDED_FLATTENER
from igr_core.restore.detailed import Detailing, restore_detailed
from igr_core.restore.flattened import restore_flat
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from tests.support.models.tiny import save_runnable
from training.data.fixtures import write_fixture
from training.data.opening import DataSetConfig, open_data_set
from training.evaluation.experiments.experiment import ExperimentConfig, RowConfig, lines
from training.evaluation.experiments.restoring import restore_line
from training.evaluation.images.subjects import Subjects

SEED, STEPS = 5, 2


@pytest.fixture(scope="module")
def restorer(tmp_path_factory: pytest.TempPathFactory) -> GarmentRestorer:
    return GarmentRestorer.from_bundle(save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors"))


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Subjects:
    """Three pairs; the first and the third are photos of one garment."""
    root = tmp_path_factory.mktemp("data") / "VITON-HD"
    write_fixture("viton_hd", root, 3, 0, (96, 128))
    source = open_data_set(DataSetConfig(root=str(root)))
    source.entries = tuple(
        replace(entry, garment="one" if number != 1 else None) for number, entry in enumerate(source.entries)
    )
    return Subjects(source)


def restored(restorer: GarmentRestorer, subjects: Subjects, **row: object) -> list[torch.Tensor]:
    config = ExperimentConfig(
        "several photos",
        (RowConfig("row", bundle="igr-small", **row),),  # type: ignore[arg-type]
        data=DataSetConfig(root="data"),
        seed=SEED,
        steps=STEPS,
        controls=(),
    )
    (line,) = lines(config)
    found = dict(restore_line(restorer, subjects, range(len(subjects)), line, config))
    return [found[number] for number in range(len(subjects))]


def test_the_other_photos_of_a_garment_are_used_with_its_own_first(
    restorer: GarmentRestorer, subjects: Subjects
) -> None:
    found = restored(restorer, subjects, photos=2)
    model = restorer.info.model
    for number, photos in enumerate(((0, 2), (1,), (2, 0))):
        views = [subjects.view([photo], model) for photo in photos]
        category = subjects.categories[number]
        expected = restore_detailed(restorer, views, category, Detailing(), Sampling(STEPS), seed=SEED + number)
        assert torch.equal(found[number], expected.image[0])
    single = restored(restorer, subjects)
    assert (found[1] - single[1]).abs().max() < 1e-3
    assert (found[0] - single[0]).abs().max() > 1e-3


def test_details_are_moved_at_the_working_size(restorer: GarmentRestorer, subjects: Subjects) -> None:
    plain, detailed = restored(restorer, subjects), restored(restorer, subjects, details=True)
    assert all(one.shape == other.shape for one, other in zip(plain, detailed, strict=True))
    assert any((one - other).abs().max() > 1e-2 for one, other in zip(plain, detailed, strict=True))


def test_a_flat_start_keeps_the_photos_pixels(restorer: GarmentRestorer, subjects: Subjects) -> None:
    flattener = load_flattener(INCLUDED_FLATTENER)
    with_flattener = copy.copy(restorer)
    with_flattener.flattener = flattener
    found = restored(with_flattener, subjects, start="flat")
    for number, image in enumerate(found):
        view = subjects.view([number], restorer.info.model)
        category, seed = subjects.categories[number], SEED + number
        (expected,) = restore_flat(restorer, flattener, view, category, Sampling(STEPS), seed=seed)
        assert torch.equal(image, expected.finished())


def test_details_cannot_be_moved_onto_the_photos_own_pixels() -> None:
    with pytest.raises(IGRError, match="set details or start, not both"):
        RowConfig("both", bundle="igr-small", details=True, start="flat")


@pytest.mark.parametrize("extra", [{"photos": 2}, {"details": True}, {"start": "flat"}])
def test_settings_of_single_garments_need_a_bundle_at_full_strength(extra: dict[str, object]) -> None:
    with pytest.raises(IGRError, match="photos, details and start need a bundle"):
        RowConfig("others", pictures="folder", **extra)  # type: ignore[arg-type]
    with pytest.raises(IGRError, match="set reference_strength and image_prompt_strength to 1"):
        RowConfig("weak", bundle="igr-small", reference_strength=0.5, **extra)  # type: ignore[arg-type]
