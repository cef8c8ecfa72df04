"""The included segmenter: it matches its config, is small, and finds garments from one click."""

from pathlib import Path

from safetensors.torch import load_file
from transformers import Sam2Processor

from igr_core.included import INCLUDED_SEGMENTER
from igr_core.segmentation.segmenter import Segmenter
from training.base.config_files import load_config
from training.base.parts import parameter_count
from training.small_models.segmenter.model import build_segmenter
from training.small_models.segmenter.scores import all_scores
from training.small_models.segmenter.training import SegmenterTraining

ROOT = Path(__file__).parents[4]


def test_shipped_config_is_the_shipped_model() -> None:
    config = load_config(SegmenterTraining, ROOT / "training" / "configs" / "small" / "segmenter.yaml")
    model = build_segmenter(config.segmenter)
    assert parameter_count(model.parameters()) <= 4_000_000
    stored = load_file(INCLUDED_SEGMENTER / "model.safetensors")
    assert {name: value.shape for name, value in model.state_dict().items()} == {
        name: value.shape for name, value in stored.items()
    }
    assert Sam2Processor.from_pretrained(INCLUDED_SEGMENTER).target_size == config.segmenter.image_size


def test_the_shipped_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in INCLUDED_SEGMENTER.iterdir()) <= 6_000_000


def test_one_click_selects_the_garment_of_100_held_out_photos() -> None:
    found = all_scores(Segmenter.from_folder(INCLUDED_SEGMENTER), 100, prompts=("click",))["click"]
    assert sum(found) / len(found) >= 0.85
