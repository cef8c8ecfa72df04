"""Evidence that a whole run collects, on a real tiny bundle."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from igr_core.errors import IGRError
from igr_core.model.bundle import Bundle, save_bundle
from igr_core.model.detail_config import FEATURES, DetailConfig, EvidenceConfig, HeadConfig, ReadoutConfig
from igr_core.model.diffusers_adapter import self_attention_order
from igr_core.photo.view import GarmentView, make_view
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.presets import Sampling
from tests.support.models.tiny import MODEL, save_runnable


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_runnable(tmp_path_factory.mktemp("bundle") / "tiny.safetensors")


@pytest.fixture(scope="module")
def restorer(bundle: Path) -> GarmentRestorer:
    return GarmentRestorer.from_bundle(bundle)


@pytest.fixture(scope="module")
def view() -> GarmentView:
    masks = torch.zeros(3, 1, 80, 60)
    masks[..., 10:60, 12:45] = 1
    photos = torch.rand(3, 3, 80, 60, generator=torch.Generator().manual_seed(1))
    return make_view(photos, masks, MODEL.native_size, MODEL.view, MODEL.image_encoder.image_size)


def test_collecting_evidence_does_not_change_the_images(restorer: GarmentRestorer, view: GarmentView) -> None:
    plain = restorer.restore(view, "upper", Sampling(4), seed=3)
    images, evidence = restorer.restore_with_evidence(view, "upper", Sampling(4), seed=3)
    assert torch.equal(images, plain)
    assert len(evidence) == 3
    for one in evidence:
        assert one.visible.min() >= 0 and one.visible.max() <= 1
        assert one.visible.isfinite().all()


def test_guidance_and_batch_give_the_evidence_of_single_runs(restorer: GarmentRestorer, view: GarmentView) -> None:
    _, together = restorer.restore_with_evidence(view, "upper", Sampling(3, 2.0), seed=3)
    rows = slice(1, 2)
    single = GarmentView(view.person[rows], view.mask[rows], view.crop[rows], view.placements[rows], ())
    _, (alone,) = restorer.restore_with_evidence(single, "upper", Sampling(3, 2.0), seed=4)
    torch.testing.assert_close(alone.visible, together[1].visible, atol=1e-3, rtol=0)


def test_several_photos_of_one_garment_are_distinguished(restorer: GarmentRestorer, view: GarmentView) -> None:
    _, evidence = restorer.restore_with_evidence(view, "upper", Sampling(3), photos=[(0, 2), (1,)])
    assert evidence[0].in_photo.shape[0] == 2
    assert evidence[1].in_photo.shape[0] == 1
    assert len(evidence[0].flows) == 2


def test_without_reference_there_is_no_evidence(restorer: GarmentRestorer, view: GarmentView) -> None:
    with pytest.raises(IGRError, match="reference strength above 0"):
        restorer.restore_with_evidence(view, "upper", Sampling(3), reference_strength=0.0)


def with_detail(bundle: Path, out: Path, head: int, block: str) -> Path:
    opened = Bundle.open(bundle)
    detail = DetailConfig(
        ReadoutConfig((HeadConfig(block, head, 2.0),)), EvidenceConfig((0.0,) * (len(FEATURES) - 1) + (1.0,))
    )
    parts = {part["part"]: opened.tensors(part["part"]) for part in opened.summary()}
    save_bundle(out, dataclasses.replace(opened.info, detail=detail), parts)
    return out


def test_a_bundle_keeps_its_readout_and_its_evidence(
    bundle: Path, restorer: GarmentRestorer, view: GarmentView, tmp_path: Path
) -> None:
    block = self_attention_order(restorer.model.denoiser)[-1]
    path = with_detail(bundle, tmp_path / "fitted.safetensors", 0, block)
    assert Bundle.open(path).info.detail is not None
    fitted = GarmentRestorer.from_bundle(path)
    _, evidence = fitted.restore_with_evidence(view, "upper", Sampling(3))
    known = [flow for one in evidence for flow in one.flows]
    values = torch.cat([one.visible.flatten() for one, flow in zip(evidence, known, strict=True) if flow is not None])
    expected = torch.sigmoid(torch.tensor(1.0))  # only the intercept counts
    assert ((values == 0) | torch.isclose(values, expected)).all()


def test_bundles_without_a_readout_keep_their_bytes(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle.open(bundle)
    parts = {part["part"]: opened.tensors(part["part"]) for part in opened.summary()}
    save_bundle(tmp_path / "again.safetensors", opened.info, parts)
    assert (tmp_path / "again.safetensors").read_bytes() == bundle.read_bytes()
    assert b'"detail"' not in bundle.read_bytes()


def test_a_readout_of_a_head_that_the_model_lacks_is_refused(
    bundle: Path, restorer: GarmentRestorer, view: GarmentView, tmp_path: Path
) -> None:
    block = self_attention_order(restorer.model.denoiser)[-1]
    broken = GarmentRestorer.from_bundle(with_detail(bundle, tmp_path / "broken.safetensors", 99, block))
    with pytest.raises(IGRError, match="names head 99"):
        broken.restore_with_evidence(view, "upper", Sampling(3))
