"""How well a segmenter finds the garment of held-out photos: by one click, by a box, by a rough mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from tqdm import tqdm
from transformers import Sam2Model, Sam2Processor

from .data.synthetic import corrupt_mask
from .held_out import AS_DRAWN, HeldOut, held_out_photos, overlap
from .prompts import MASK_LOGIT

PROMPTS = ("click", "random_click", "box", "rough_mask")
"""Ways of asking that are measured."""
ROUGHNESS = 1.0
"""How spoiled the rough masks are: corrupt_mask's strength."""


class Asker:
    """One photo, embedded once, and the model's best mask for each way of asking."""

    def __init__(self, model: Sam2Model, processor: Sam2Processor, photo: Image.Image) -> None:
        self._model, self._processor = model, processor
        inputs = processor(images=photo, return_tensors="pt")
        self._sizes = inputs["original_sizes"]
        self._features = model.get_image_embeddings(inputs["pixel_values"])

    def mask(
        self,
        point: tuple[float, float] | None = None,
        box: tuple[float, float, float, float] | None = None,
        rough: np.ndarray | None = None,
    ) -> np.ndarray:
        """The mask (H, W), bool, that the model scores best; point and box in pixels, `rough` bool (H, W)."""
        given: dict[str, Any] = {}
        if point is not None:
            given |= {"input_points": [[[list(point)]]], "input_labels": [[[1]]]}
        if box is not None:
            given["input_boxes"] = [[list(box)]]
        inputs = self._processor(original_sizes=self._sizes, return_tensors="pt", **given)
        asked = {name: inputs[name] for name in given}
        if rough is not None:
            small = F.interpolate(
                torch.from_numpy(rough)[None, None].float(),
                self._model.prompt_encoder.mask_input_size,
                mode="bilinear",
                antialias=True,
            )
            asked["input_masks"] = (2 * small - 1) * MASK_LOGIT
        with torch.no_grad():
            told = self._model(image_embeddings=self._features, **asked)
        masks = self._processor.post_process_masks(told.pred_masks, self._sizes)[0]  # (1, M, H, W)
        return masks[0, int(told.iou_scores[0, 0].argmax())].numpy()


def scores_of(
    model: Sam2Model, processor: Sam2Processor, one: HeldOut, prompts: Sequence[str] = PROMPTS
) -> dict[str, float]:
    """Intersection over union with the garment for each of `prompts`; with a rough mask, also for that itself."""
    asker = Asker(model, processor, one.photo)
    found: dict[str, np.ndarray] = {}
    for name in prompts:
        if name == "rough_mask":
            found["rough_mask_itself"] = rough_mask(one)
        found[name] = asker.mask(**prompt(name, one))
    return {name: overlap(mask, one.mask) for name, mask in found.items()}


def prompt(name: str, one: HeldOut) -> dict[str, Any]:
    """What Asker.mask is given to find the garment by one of PROMPTS."""
    if name == "click":
        return {"point": deepest_point(one.mask)}
    if name == "random_click":
        return {"point": random_point(one.mask, one.seed)}
    return {"box": tight_box(one.mask)} if name == "box" else {"rough": rough_mask(one)}


def all_scores(
    model: Sam2Model,
    processor: Sam2Processor,
    count: int,
    size: tuple[int, int] = AS_DRAWN.photo_size,
    prompts: Sequence[str] = PROMPTS,
) -> dict[str, list[float]]:
    """Each row of scores_of over `count` held-out photos."""
    photos = tqdm(held_out_photos(count, size), total=count, unit="photo", desc="measuring", mininterval=5)
    rows = [scores_of(model, processor, one, prompts) for one in photos]
    return {name: [row[name] for row in rows] for name in rows[0]}


def rough_mask(one: HeldOut) -> np.ndarray:
    """The garment's mask as someone paints it in a hurry, bool (H, W)."""
    return np.asarray(corrupt_mask(Image.fromarray(one.mask), one.seed, ROUGHNESS)) > 127


def deepest_point(mask: np.ndarray) -> tuple[float, float]:
    """The pixel (x, y) of a mask (H, W) farthest from its edge: where one would click."""
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), mask.shape)
    return float(column), float(row)


def random_point(mask: np.ndarray, seed: int) -> tuple[float, float]:
    """A pixel (x, y) of a mask (H, W) at least a sixth as deep as its deepest one."""
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= depth.max() / 6)
    at = int(np.random.default_rng([seed, 31]).integers(len(rows)))
    return float(columns[at]), float(rows[at])


def tight_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Outermost pixels x0, y0, x1, y1 of a mask (H, W)."""
    rows, columns = np.nonzero(mask)
    return float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max())


def overlaps(masks: Tensor, coverage: Tensor) -> Tensor:
    """Intersection over union (B, P, M) of logits (B, P, M, g, g) with regions (B, P, g, g), cell by cell."""
    inside, wanted = masks > 0, coverage[:, :, None] > 0.5
    both, either = (inside & wanted).sum((-2, -1)), (inside | wanted).sum((-2, -1))
    return both / either.clamp(min=1)
