"""The image encoder's training at tiny size: resuming, export, losses, the included config, preprocessing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from igr_core.errors import IGRError
from igr_core.model.config import ImageEncoderConfig, from_json
from igr_core.model.image_encoder import preprocess
from igr_core.model.networks import build_image_encoder
from tests.support.training.stopping import logged, stopped_at_call
from training.base.config_files import load_config
from training.base.parts import parameter_count
from training.data.caches.draw_config import DrawConfig
from training.data.caches.drawn import HELD_OUT_START, draw_shards
from training.small_models import image_encoder as train_image_encoder
from training.small_models.image_encoder import (
    Corpus,
    EncoderTask,
    ImageEncoderTraining,
    encoder_loss,
    keep_fp32,
    patch_pixels,
    train,
)

CONFIGS = Path(train_image_encoder.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ImageEncoderTraining:
    """A run of four steps on four pairs."""
    folder, config = tmp_path_factory.mktemp("drawn"), DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16)
    draw_shards(folder / "pairs", 4, 0, config, workers=1)
    draw_shards(folder / "held_out", 4, HELD_OUT_START, config, workers=1)
    shape = ImageEncoderConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        image_size=16, patch_size=8, projection_dim=16,
    )  # fmt: skip
    return ImageEncoderTraining(
        data=str(folder / "pairs"),
        held_out=str(folder / "held_out"),
        image_encoder=shape,
        steps=4,
        batch=3,
        warmup=1,
        thumbnail=(3, 4),
        flat_cells=(2, 2),
        flat_detail=4,
        patch_detail=2,
        minimum_visible=0.0,
        precision="no",
        log_every=1,
        save_every=2,
        validate_every=3,
    )


def test_a_killed_run_resumes_as_if_it_had_not_been_killed(tiny: ImageEncoderTraining, tmp_path: Path) -> None:
    whole, parts = (replace(tiny, run=str(tmp_path / name)) for name in ("whole", "parts"))
    train(whole)
    with stopped_at_call(train_image_encoder, "encoder_loss", 4):
        train(parts)
    train(parts)
    assert logged(tmp_path / "parts") == logged(tmp_path / "whole")
    one, other = (load_file(tmp_path / name / "image_encoder.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_another_training_in_the_same_folder_is_refused(tiny: ImageEncoderTraining, tmp_path: Path) -> None:
    short = replace(tiny, run=str(tmp_path), steps=2)
    train(short)
    for name, other in (("steps", replace(short, steps=5)), ("flat_weight", replace(short, flat_weight=1.0))):
        with pytest.raises(IGRError, match=f"was trained with {name} = .*choose another --run folder"):
            train(other)
    train(replace(short, log_every=2, keep=1))


def test_outputs_rebuild_the_tower(tiny: ImageEncoderTraining, tmp_path: Path) -> None:
    scores = train(replace(tiny, run=str(tmp_path)))
    summary = json.loads((tmp_path / "image_encoder.json").read_text())
    tower = build_image_encoder(from_json(ImageEncoderConfig, summary["image_encoder"]))
    tower.load_state_dict(load_file(tmp_path / "image_encoder.safetensors"))
    assert summary["scores"] == scores
    assert summary["training"]["seed"] == tiny.seed and summary["revisions"][0][0] == 0 and summary["commands"]
    assert 0 <= scores["retrieval_at_1"] <= 1


def test_every_weight_has_a_gradient(tiny: ImageEncoderTraining) -> None:
    torch.manual_seed(0)
    corpus = Corpus(tiny.data, tiny)
    task = EncoderTask(tiny, corpus.words)
    terms = encoder_loss(task, corpus, torch.arange(3), tiny)
    assert {"contrast", "thumbnail", "flat", "patch", "total", *tiny.labels} == set(terms)
    terms["total"].backward()
    # The last layer feeds the embedding, the one before it the hidden states; nothing trained is left out.
    without = [name for name, weight in task.named_parameters() if weight.grad is None]
    assert without == []


def test_the_flat_loss_has_gradients_in_its_reader_and_the_tower(tiny: ImageEncoderTraining) -> None:
    torch.manual_seed(0)
    corpus = Corpus(tiny.data, tiny)
    task = EncoderTask(tiny, corpus.words)
    optimizer = torch.optim.Adam(task.parameters(), 3e-3)
    seen = []
    for _ in range(40):
        term = encoder_loss(task, corpus, torch.arange(3), tiny)["flat"]
        optimizer.zero_grad()
        term.backward()
        assert all(
            bool(task.get_parameter(name).grad.any()) for name in ("from_tokens.queries", "from_tokens.draw.weight")
        )
        assert bool(task.tower.vision_model.embeddings.patch_embedding.weight.grad.any())
        optimizer.step()
        seen.append(float(term.detach()))
    assert seen[-1] < 0.7 * seen[0]


def test_patch_pixels_follow_the_patches(tiny: ImageEncoderTraining) -> None:
    pixels = torch.zeros(1, 3, 16, 16)
    pixels[..., :8, 8:] = 1  # the second patch
    assert patch_pixels(pixels, tiny).mean(-1).tolist() == [[0, 1, 0, 0]]


def test_pairs_that_hardly_show_the_garment_are_skipped(tiny: ImageEncoderTraining) -> None:
    with pytest.raises(IGRError, match="sufficiently visible garment"):
        Corpus(tiny.data, replace(tiny, minimum_visible=1.0))


def test_held_out_pairs_are_refused(tiny: ImageEncoderTraining, tmp_path: Path) -> None:
    draw_shards(tmp_path / "held", 1, HELD_OUT_START, DrawConfig(size=(24, 32), photo_size=(48, 64), crop_size=16), 1)
    with pytest.raises(IGRError, match=f"has seed {HELD_OUT_START}.*draw pairs other than those in .*held"):
        train(replace(tiny, data=str(tmp_path / "held"), run=str(tmp_path / "run")))


def test_preprocessing_is_that_of_clip() -> None:
    pixels = preprocess(torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1).expand(2, 3, 4, 4))
    assert pixels.shape == (2, 3, 4, 4)
    assert torch.allclose(pixels, torch.zeros(2, 3, 4, 4), atol=1e-6)
    white = preprocess(torch.ones(1, 3, 1, 1)).flatten()
    assert torch.allclose(white, torch.tensor([1.9303, 2.0749, 2.1459]), atol=1e-3)


def test_shipped_config() -> None:
    config = load_config(ImageEncoderTraining, CONFIGS / "small" / "from_scratch" / "image_encoder.yaml")
    assert parameter_count(build_image_encoder(config.image_encoder).parameters()) <= 1_500_000


def test_a_module_kept_out_of_autocast_computes_in_fp32() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    with torch.autocast("cpu", torch.bfloat16):
        assert layers[0](torch.ones(1, 4)).dtype == torch.bfloat16
        keep_fp32(layers[0])
        assert layers[0](torch.ones(1, 4)).dtype == torch.float32
        assert layers(torch.ones(1, 4)).dtype == torch.bfloat16
