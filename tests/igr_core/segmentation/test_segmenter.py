"""SAM 2: the results equal the library's, in pixels of the photo, and other folders are rejected."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.segmentation.sam2_prompt import Prompt
from igr_core.segmentation.segmenter import Segmenter
from tests.support.models.tiny_sam2 import DECODER, PROMPTS, SIDE, VISION, build_sam2, save_sam2

WIDE = (200, 90)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sam2(tmp_path_factory.mktemp("sam2") / "tiny")


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> Segmenter:
    return Segmenter.from_folder(folder)


def photo(size: tuple[int, int] = WIDE, seed: int = 0) -> Tensor:
    """A photo (1, 3, H, W) of 8-bit values."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, 3, size[1], size[0]), generator=generator).float() / 255


def box_mask(size: tuple[int, int], box: tuple[int, int, int, int]) -> Tensor:
    left, top, right, bottom = box
    mask = torch.zeros(1, 1, size[1], size[0])
    mask[..., top:bottom, left:right] = 1
    return mask


def same(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> bool:
    return torch.equal(one[0], other[0]) and torch.allclose(one[1], other[1], atol=1e-6)


# Loading ---------------------------------------------------------------------------------------------------------


def test_a_saved_folder_restores_the_model(segmenter: Segmenter) -> None:
    expected = build_sam2().state_dict()
    found = segmenter.model.state_dict()
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
    assert not segmenter.model.training and segmenter.device == torch.device("cpu")


def test_a_photo_with_nan_is_not_taken_for_an_empty_mask(segmenter: Segmenter) -> None:
    damaged = photo()
    damaged[0, 1, 5, 5] = float("nan")
    with pytest.raises(IGRError, match="The photo contains NaN"):
        segmenter.masks(segmenter.embed(damaged), Prompt(positive=((20.0, 20.0),)))


def test_half_precision_files_run_in_float32(tmp_path: Path) -> None:
    build_sam2().half().save_pretrained(tmp_path / "half")
    segmenter = Segmenter.from_folder(tmp_path / "half")
    masks, _ = segmenter.masks(segmenter.embed(photo()), Prompt(positive=((9, 9),)))
    assert masks.dtype == torch.float32 and next(segmenter.model.parameters()).dtype == torch.float32


def test_a_folder_of_the_video_model_as_published(tmp_path: Path, segmenter: Segmenter) -> None:
    """facebook/sam2.1-hiera-* have the type sam2_video, with memory layers that images do not need."""
    from transformers import Sam2VideoConfig, Sam2VideoModel

    prompts, decoder = ({k: v for k, v in c.to_dict().items() if k != "model_type"} for c in (PROMPTS, DECODER))
    config = Sam2VideoConfig(
        vision_config=VISION,
        prompt_encoder_config=prompts,
        mask_decoder_config=decoder,
        image_size=SIDE,
        memory_attention_hidden_size=32,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_num_layers=1,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=32,
        memory_encoder_output_channels=16,
        memory_fuser_embed_dim=32,
        mask_downsampler_embed_dim=32,
    )
    video = Sam2VideoModel(config)
    video.load_state_dict(build_sam2().state_dict(), strict=False)
    video.save_pretrained(tmp_path / "video")
    prompt = Prompt(positive=((150, 20),))
    found = Segmenter.from_folder(tmp_path / "video")
    assert same(found.masks(found.embed(photo()), prompt), segmenter.masks(segmenter.embed(photo()), prompt))


@pytest.mark.parametrize("part", ["shared_image_embedding", "prompt_encoder.shared_embedding"])
def test_a_file_with_one_of_two_shared_names_is_complete(
    tmp_path: Path, folder: Path, segmenter: Segmenter, part: str
) -> None:
    shutil.copytree(folder, tmp_path / "one")
    tensors = load_file(folder / "model.safetensors")
    del tensors[f"{part}.positional_embedding"]
    save_file(tensors, tmp_path / "one" / "model.safetensors", {"format": "pt"})
    found = Segmenter.from_folder(tmp_path / "one").model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in segmenter.model.state_dict().items())


def test_folders_that_are_invalid_are_reported_in_one_sentence(tmp_path: Path, folder: Path) -> None:
    def told(bad: Path) -> str:
        with pytest.raises(IGRError) as caught:
            Segmenter.from_folder(bad)
        return str(caught.value)

    bad = tmp_path / "bad"
    none = (
        f"{bad} is not a SAM 2 folder: it needs a config.json and *.safetensors, as in a download of "
        "facebook/sam2.1-hiera-large."
    )
    assert told(bad) == none
    bad.mkdir()
    (bad / "config.json").write_text(json.dumps({"model_type": "clip"}))
    assert told(bad) == none
    shutil.copy(folder / "model.safetensors", bad)
    assert told(bad) == f"{bad} contains a model of type 'clip', not SAM 2: choose another folder."
    for nonsense, words in (
        ("{}", "has no model_type"),
        ("[]", "is not a JSON object"),
        ("no json", "is not valid JSON"),
    ):
        (bad / "config.json").write_text(nonsense)
        assert told(bad).startswith(f"{bad / 'config.json'} {words}")
    shutil.copy(folder / "config.json", bad)
    tensors = load_file(folder / "model.safetensors")
    first = min(name for name in tensors if "iou_prediction_head" in name)
    save_file({name: one for name, one in tensors.items() if name != first}, bad / "model.safetensors")
    assert told(bad) == f"{bad} is missing 1 tensor of SAM 2, such as {first}: copy the folder again."
    save_file(tensors | {first: torch.zeros(3)}, bad / "model.safetensors")
    assert told(bad).startswith(f"{bad} cannot be loaded as SAM 2 (") and told(bad).endswith("copy the folder again.")
    (bad / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    assert told(bad).startswith(f"{bad} cannot be loaded as SAM 2 (") and told(bad).endswith("copy the folder again.")


def test_transformers_without_sam2_is_reported(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    import transformers

    monkeypatch.setattr(transformers, "__version__", "4.44.0")
    for name in ("Sam2Model", "Sam2Processor"):  # the error of an older version for a missing name
        monkeypatch.delattr(transformers, name, raising=False)
        monkeypatch.setitem(transformers._class_to_module, name, "nowhere")
    with pytest.raises(IGRError, match=r"^transformers 4\.44\.0 cannot run SAM 2 here: install 4\.56 or newer"):
        Segmenter.from_folder(folder)


# Embedding and decoding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WIDE, (61, 127), (128, 128), (500, 300)])
def test_masks_come_back_at_the_photos_own_size(segmenter: Segmenter, size: tuple[int, int]) -> None:
    embedding = segmenter.embed(photo(size))
    assert embedding.size == size
    assert [tuple(one.shape) for one in embedding.features] == [(1, 4, 32, 32), (1, 8, 16, 16), (1, 32, 8, 8)]
    masks, scores = segmenter.masks(embedding, Prompt(positive=((20, 30),)))
    assert masks.shape == (3, 1, size[1], size[0]) and scores.shape == (3,)
    assert masks.dtype == torch.float32 and set(masks.unique().tolist()) == {0.0, 1.0}
    assert not masks.requires_grad and not embedding.features[0].requires_grad


def test_results_equal_the_librarys_own(segmenter: Segmenter, folder: Path) -> None:
    from transformers import Sam2ImageProcessor, Sam2Processor

    picture = Image.fromarray((photo()[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy())
    processor = Sam2Processor(Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}))
    inputs = processor(
        images=picture,
        input_points=[[[[30, 40], [150, 20], [5, 5]]]],
        input_labels=[[[1, 1, 0]]],
        input_boxes=[[[10, 12, 190, 80]]],
        return_tensors="pt",
    )
    sizes = inputs.pop("original_sizes")
    with torch.no_grad():
        outputs = build_sam2()(**inputs)
    expected = processor.post_process_masks(outputs.pred_masks, sizes)[0][0].float()
    prompt = Prompt(((30, 40), (150, 20)), ((5, 5),), (10, 12, 190, 80))
    masks, scores = segmenter.masks(segmenter.embed(photo()), prompt)
    assert torch.equal(masks[:, 0], expected) and 0.01 < float(masks.mean()) < 0.99
    assert torch.allclose(scores, outputs.iou_scores[0, 0], atol=1e-6)


@pytest.mark.parametrize("size", [WIDE, (61, 127), (500, 300)])
def test_prompts_of_a_photo_that_is_no_square_are_scaled_by_side(segmenter: Segmenter, size: tuple[int, int]) -> None:
    """The model stretches a photo to a square, so prompts must be stretched, too."""
    square = segmenter.embed(photo((SIDE, SIDE)))
    stretched = dataclasses.replace(square, size=size)
    scale = torch.tensor([SIDE / size[0], SIDE / size[1]])
    generator = torch.Generator().manual_seed(1)
    last = torch.tensor([size[0] - 1, size[1] - 1])
    seen = []
    for _ in range(8):
        points = (torch.rand(3, 2, generator=generator) * last).float()
        corners = torch.stack([points.amin(0), points.amax(0)])
        there = Prompt(tuple(map(tuple, points[:2].tolist())), (tuple(points[2].tolist()),), _box(corners))
        moved = points * scale
        here = Prompt(tuple(map(tuple, moved[:2].tolist())), (tuple(moved[2].tolist()),), _box(corners * scale))
        scores = segmenter.masks(stretched, there)[1]
        assert torch.allclose(scores, segmenter.masks(square, here)[1], atol=1e-5)
        seen.append(scores)
    assert torch.stack(seen).std(0).min() > 1e-3  # prompts make a difference


def _box(corners: Tensor) -> tuple[float, float, float, float]:
    left, top, right, bottom = corners.flatten().tolist()
    return (left, top, right, bottom)


def test_every_part_of_a_prompt_counts(segmenter: Segmenter) -> None:
    embedding = segmenter.embed(photo())
    whole = Prompt(((30, 40),), ((150, 20),), (10, 12, 100, 80), box_mask(WIDE, (20, 20, 90, 70)))
    answers = [segmenter.masks(embedding, whole)[1]]
    for part in ({"positive": ()}, {"negative": ()}, {"box": None}, {"mask": None}):
        answers.append(segmenter.masks(embedding, dataclasses.replace(whole, **part))[1])
    for index, one in enumerate(answers):
        assert all((one - other).abs().max() > 1e-5 for other in answers[index + 1 :])


def test_a_rough_mask_alone_is_reported_to_the_model_as_logits(segmenter: Segmenter) -> None:
    rough = box_mask(WIDE, (32, 20, 96, 80))
    embedding = segmenter.embed(photo())

    def by_library(logits: Tensor) -> Tensor:
        """Mask logits after the library has resized them itself."""
        with torch.no_grad():
            return segmenter.model(image_embeddings=list(embedding.features), input_masks=logits).iou_scores[0, 0]

    scores = segmenter.masks(embedding, Prompt(mask=rough))[1]
    assert torch.allclose(scores, by_library(20 * rough - 10), atol=1e-6)
    for other in (10 - 20 * rough, 2 * rough - 1, rough):
        assert not torch.allclose(scores, by_library(other), atol=1e-5)


def test_an_embedding_serves_many_prompts_unchanged(segmenter: Segmenter) -> None:
    embedding = segmenter.embed(photo())
    before = [one.clone() for one in embedding.features]
    first = segmenter.masks(embedding, Prompt(positive=((30, 40),)))
    segmenter.masks(embedding, Prompt(box=(10, 12, 100, 80)))
    assert same(first, segmenter.masks(embedding, Prompt(positive=((30, 40),))))
    assert all(torch.equal(one, other) for one, other in zip(before, embedding.features, strict=True))


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (Prompt(), "The prompt is empty: add a positive point, a box or a mask."),
        (
            Prompt(negative=((3, 3),)),
            "The prompt is empty: add a positive point, a box or a mask.",
        ),
        (Prompt(((201, 5),)), "The point (201, 5) is outside the 200×90 photo: place the point inside it."),
        (Prompt(((2, 5),), ((-1, 5),)), "The point (-1, 5) is outside the 200×90 photo: place the point inside it."),
        (Prompt(((float("nan"), 5),)), "The point (nan, 5) is outside the 200×90 photo: place the point inside it."),
        (
            Prompt(box=(10, 10, 10, 20)),
            "The box (10, 10, 10, 20) is empty or outside the 200×90 photo: draw the box again.",
        ),
        (
            Prompt(box=(10, 10, 90, 91)),
            "The box (10, 10, 90, 91) is empty or outside the 200×90 photo: draw the box again.",
        ),
        (
            Prompt(mask=torch.ones(1, 1, 200, 90)),
            "The rough mask has shape (1, 1, 200, 90): it must be the same size as the photo, (1, 1, 90, 200).",
        ),
    ],
)
def test_invalid_prompts_are_reported(segmenter: Segmenter, prompt: Prompt, sentence: str) -> None:
    embedding = segmenter.embed(photo())
    with pytest.raises(IGRError) as caught:
        segmenter.masks(embedding, prompt)
    assert str(caught.value) == sentence


def test_a_batch_of_photos_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(
        IGRError, match=r"^The photo has shape \(2, 3, 90, 200\): it must be \(1, 3, height, width\)\.$"
    ):
        segmenter.embed(photo().expand(2, -1, -1, -1))
