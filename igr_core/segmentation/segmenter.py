"""SAM 2 with transformers: embed a photo once, then get masks for points, a box or a rough mask."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from ..ranges import Range, shown
from ..text import counted
from .model_folder import FolderLoader, count_weights, load_folder, read_config
from .sam2_checkpoint import load_checkpoint, read_checkpoint
from .sam2_library import sam2_library
from .sam2_prompt import Prompt

if TYPE_CHECKING:
    from transformers import Sam2Model

MASK_LOGIT = 10.0
"""Logit inside a rough mask; its negative is used outside, as in SAM 2's own training."""

_SIDE = Range(32, 2048)
"""Width and height in pixels of the square that a model may see."""
_WHAT = "SAM 2"
"""Name of the model in error messages."""
_MODEL_TYPES = ("sam2", "sam2_video")
"""Published folders contain the video model, of which Sam2Model loads the part that works on images."""
_TWINS = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")
"""Two names for the same matrix; some files contain only one of them."""


@dataclass(frozen=True)
class Embedding:
    """The vision encoder's output for one photo, which is slow to compute but can be reused for several prompts."""

    features: tuple[Tensor, ...]
    """Feature maps (1, C, h, w), finest first, as the mask decoder expects them."""
    size: tuple[int, int]
    """Width and height of the photo."""


class Segmenter:
    """SAM 2 for images: embed a photo, then get any number of masks from it."""

    def __init__(self, model: Sam2Model) -> None:
        """Wrap a model, which stays on its device and is switched to evaluation mode.

        Raises IGRError if transformers is too old.
        """
        library = sam2_library()
        side = model.prompt_encoder.input_image_size
        self.model = model.eval().requires_grad_(False)
        """The model."""
        self._processor = library.prompts(library.images(size={"height": side, "width": side}))

    @classmethod
    def from_folder(cls, folder: str | Path, device: str | torch.device = "cpu") -> Segmenter:
        """Load a folder with config.json and *.safetensors, in transformers' layout, in float32; never downloads.

        Raises IGRError if the folder does not exist, contains another model or lacks weights, or if transformers is too
        old.
        """
        folder = Path(folder)
        _check_folder(folder)
        kind = sam2_library().model
        loader = FolderLoader(_WHAT, kind.config_class.from_pretrained, kind._from_config, kind.from_pretrained, "sdpa")
        model: Any
        model, missing = load_folder(loader, folder, _try)
        _check_complete(folder, model, missing)
        return cls(model.to(device))

    @classmethod
    def from_file(cls, path: str | Path, device: str | torch.device = "cpu") -> Segmenter:
        """Load a .safetensors file, Meta's or transformers', in float32; raises IGRError as load_checkpoint does."""
        model = load_checkpoint(path)
        torch.nn.Module.to(model, device)  # in place; transformers' own `to` has no typed signature
        return cls(model)

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return next(self.model.parameters()).device

    @torch.no_grad()
    def embed(self, image: Tensor) -> Embedding:
        """Run the vision encoder on a photo (1, 3, H, W) in 0..1; raises IGRError for a wrong shape and for NaN."""
        if image.ndim != 4 or image.shape[:2] != (1, 3):
            raise IGRError(f"The photo has shape {tuple(image.shape)}: it must be (1, 3, height, width).")
        if not bool(torch.isfinite(image).all()):  # the conversion to 8 bits below would hide NaN
            raise IGRError("The photo contains NaN or infinite values: load the photo again.")
        pixels = (
            image[0].float().clamp(0, 1).mul(255).round().to(torch.uint8)
        )  # the type that the library's own image loaders return
        inputs = self._processor.image_processor(pixels, return_tensors="pt")
        features = self.model.get_image_embeddings(inputs["pixel_values"].to(self.device))
        return Embedding(tuple(features), (image.shape[-1], image.shape[-2]))

    @torch.no_grad()
    def masks(self, embedding: Embedding, prompt: Prompt) -> tuple[Tensor, Tensor]:
        """Decode a prompt: candidates (M, 1, H, W), 0 or 1, at the photo's size, and their scores (M,).

        A pixel is 1 if its logit, resized bilinearly to the photo's size, is above 0. A score is the model's estimate
        of the intersection over union with the intended object. Raises IGRError as Prompt.check does, and for NaN.
        """
        prompt = prompt.check(embedding.size)
        width, height = embedding.size
        outputs = self.model(
            image_embeddings=list(embedding.features), **self._prompt_inputs(prompt, embedding.size)
        )  # pred_masks (1, 1, M, h, w), iou_scores (1, 1, M)
        if not bool(torch.isfinite(outputs.pred_masks).all()):
            raise IGRError(
                "The segmenter returned NaN or infinite values, so its weights are damaged: copy the model again."
            )
        masks = self._processor.post_process_masks(outputs.pred_masks, [(height, width)])[0]  # (1, M, H, W) bool
        return masks[0, :, None].float(), outputs.iou_scores[0, 0]

    def _prompt_inputs(self, prompt: Prompt, size: tuple[int, int]) -> dict[str, Tensor]:
        """A prompt as Sam2Model's inputs, scaled from the photo to the square that the model sees."""
        points = [list(map(float, point)) for point in (*prompt.positive, *prompt.negative)]
        labels = [1] * len(prompt.positive) + [0] * len(prompt.negative)
        given: dict[str, Any] = {}
        if points:
            given |= {"input_points": [[points]], "input_labels": [[labels]]}  # one photo, one object
        if prompt.box is not None:
            given["input_boxes"] = [[list(map(float, prompt.box))]]
        inputs = self._processor(original_sizes=[[size[1], size[0]]], return_tensors="pt", **given)
        tensors = {name: inputs[name].to(self.device) for name in given}
        if prompt.mask is not None:
            side = self.model.prompt_encoder.mask_input_size
            rough = F.interpolate(prompt.mask.float(), side, mode="bilinear", align_corners=False, antialias=True)
            tensors["input_masks"] = ((2 * rough - 1) * MASK_LOGIT).to(self.device)
        return tensors


def check_segmenter(path: Path) -> None:
    """Check the folder or file of a model without reading its weights; raises IGRError as Segmenter's methods do."""
    if os.path.isdir(path):
        _check_folder(path)
        count_weights(path, _WHAT)
    else:
        read_checkpoint(path)


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise IGRError(
            f"{folder} is not a SAM 2 folder: it needs a config.json and *.safetensors, as in a download of "
            f"facebook/sam2.1-hiera-large."
        )
    kind = read_config(folder).get("model_type")
    if kind is None:
        raise IGRError(f"{folder / 'config.json'} has no model_type: copy the SAM 2 folder again.")
    if kind not in _MODEL_TYPES:
        raise IGRError(f"{folder} contains a model of type {shown(kind)}, not SAM 2: choose another folder.")


def _try(model: Any) -> None:
    """Run the model on a photo and prompts without data (meta device)."""
    side = model.prompt_encoder.input_image_size
    _SIDE.check(side, "image_size")
    features = model.get_image_embeddings(torch.empty((1, 3, side, side), device="meta"))
    model(
        image_embeddings=list(features),
        input_points=torch.empty((1, 1, 1, 2), device="meta"),
        input_labels=torch.ones((1, 1, 1), dtype=torch.long, device="meta"),
        input_boxes=torch.empty((1, 1, 4), device="meta"),
        input_masks=torch.empty((1, 1, *model.prompt_encoder.mask_input_size), device="meta"),
    )


def _check_complete(folder: Path, model: Sam2Model, missing: set[str]) -> None:
    """Copy the positional embedding if one of its two names is missing; raises IGRError for other missing tensors."""
    if len(missing & set(_TWINS)) == 1:
        one = model.shared_image_embedding.positional_embedding
        other = model.prompt_encoder.shared_embedding.positional_embedding
        one.copy_(other) if _TWINS[0] in missing else other.copy_(one)
        missing -= set(_TWINS)
    if missing:
        raise IGRError(
            f"{folder} is missing {counted(len(missing), 'tensor')} of SAM 2, such as {min(missing)}: copy the folder "
            "again."
        )
