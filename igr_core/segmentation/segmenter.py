"""SAM 2 by transformers: a photo is embedded once, then points, a box or a rough mask ask for its parts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from ..photo.inputs import MASK_THRESHOLD
from ..photo.view import Box, mask_box

if TYPE_CHECKING:
    from transformers import Sam2Model

Point = tuple[float, float]
"""x and y in pixels of the photo; (0, 0) is the middle of the first pixel."""
PromptKind = Literal["box", "points", "both"]
"""What prompt_from_mask asks with."""

OLDEST_TRANSFORMERS = "4.56"
BOX_MARGIN = 0.02
"""A mask's box is widened by this share of its own width and height on each side: masks are often drawn too tight."""
MASK_LOGIT = 10.0
"""What SAM 2 is told of a rough mask: this inside, its negative outside, as its own training does."""

_MODEL_TYPES = ("sam2", "sam2_video")
"""Published folders are of the video model, of which Sam2Model takes the part for pictures."""
_POINTS_SIDE = 512
"""Points of larger masks are looked for on about this many cells along the longer side."""
_TWINS = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")
"""One matrix under two names: some writers leave one of them out."""


@dataclass(frozen=True)
class Prompt:
    """What is asked for, in pixels of the photo; all of it together means one part."""

    positive: tuple[Point, ...] = ()
    """Points on what is wanted."""
    negative: tuple[Point, ...] = ()
    """Points on what is not."""
    box: Box | None = None
    """Box (left, top, right, bottom) around it, of the outermost pixels' middles."""
    mask: Tensor | None = None
    """Rough mask (1, 1, H, W) in 0..1, as large as the photo."""

    def check(self, size: tuple[int, int]) -> None:
        """Raise IGRError when it asks for nothing or for something outside a photo of size (width, height)."""
        width, height = size
        if not self.positive and self.box is None and self.mask is None:
            raise IGRError("The prompt says nothing of what is wanted: give a positive point, a box or a mask.")
        for x, y in (*self.positive, *self.negative):
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                raise IGRError(f"The point ({x:g}, {y:g}) is outside the photo of {width}×{height}: set it inside.")
        if self.box is not None:
            left, top, right, bottom = self.box
            if not (0 <= left < right <= width - 1 and 0 <= top < bottom <= height - 1):
                corners = ", ".join(f"{side:g}" for side in self.box)
                raise IGRError(f"The box ({corners}) is empty or outside the photo of {width}×{height}: draw it again.")
        if self.mask is not None and tuple(self.mask.shape) != (1, 1, height, width):
            raise IGRError(
                f"The rough mask has shape {tuple(self.mask.shape)}: it must be as large as the photo, "
                f"(1, 1, {height}, {width})."
            )


@dataclass(frozen=True)
class Embedding:
    """What the vision encoder made of one photo: the costly part, worth keeping while prompts change."""

    features: tuple[Tensor, ...]
    """Feature maps (1, C, h, w), the finest first, as the mask decoder takes them."""
    size: tuple[int, int]
    """Width and height of the photo."""


class Segmenter:
    """SAM 2 for pictures: embed a photo, then ask for masks of it as often as wanted."""

    def __init__(self, model: Sam2Model) -> None:
        """Take a model as it is, in evaluation mode, on its device; raises IGRError where transformers is too old."""
        library = _library()
        side = model.prompt_encoder.input_image_size
        self.model = model.eval().requires_grad_(False)
        """The network."""
        self._processor = library.prompts(library.images(size={"height": side, "width": side}))

    @classmethod
    def from_folder(cls, folder: str | Path, device: str | torch.device = "cpu") -> Segmenter:
        """Load config.json and *.safetensors of a folder in transformers' layout, in float32; nothing is downloaded.

        Raises IGRError for a folder that is not there, holds another model or lacks weights, and where transformers
        is too old.
        """
        folder = Path(folder)
        _check_folder(folder)
        load = _library().model.from_pretrained
        try:
            model, told = load(folder, local_files_only=True, use_safetensors=True, output_loading_info=True)
        except Exception as error:  # of safetensors, of transformers' config classes, of torch: no common type
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise IGRError(f"{folder} cannot be loaded as SAM 2 ({reason}): copy it again.") from error
        _check_complete(folder, model, set(told["missing_keys"]))
        return cls(model.to(device=device, dtype=torch.float32))

    @classmethod
    def from_file(cls, path: str | Path, device: str | torch.device = "cpu") -> Segmenter:
        """Load one .safetensors file, Meta's or transformers', in float32; raises IGRError as load_checkpoint does."""
        from .sam2_checkpoint import load_checkpoint

        model = load_checkpoint(path)
        torch.nn.Module.to(model, device)  # in place; the library's own has no signature that checkers read
        return cls(model)

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return next(self.model.parameters()).device

    @torch.no_grad()
    def embed(self, image: Tensor) -> Embedding:
        """Run the vision encoder on a photo (1, 3, H, W) in 0..1; raises IGRError for another shape."""
        if image.ndim != 4 or image.shape[:2] != (1, 3):
            raise IGRError(f"The photo has shape {tuple(image.shape)}: it must be (1, 3, height, width).")
        pixels = image[0].float().clamp(0, 1).mul(255).round().to(torch.uint8)  # what the library's own loaders give
        inputs = self._processor.image_processor(pixels, return_tensors="pt")
        features = self.model.get_image_embeddings(inputs["pixel_values"].to(self.device))
        return Embedding(tuple(features), (image.shape[-1], image.shape[-2]))

    @torch.no_grad()
    def masks(self, embedding: Embedding, prompt: Prompt) -> tuple[Tensor, Tensor]:
        """Decode what a prompt asks for: candidates (M, 1, H, W) of 0 and 1 at the photo's size, and scores (M,).

        A pixel is 1 where the logit, resized bilinearly to the photo's size, is above 0. A score is the overlap
        (intersection over union) with what was meant as the model estimates it; candidates come in the model's order.
        Raises IGRError as Prompt.check does.
        """
        prompt.check(embedding.size)
        width, height = embedding.size
        outputs = self.model(
            image_embeddings=list(embedding.features), **self._prompt_inputs(prompt, embedding.size)
        )  # pred_masks (1, 1, M, h, w), iou_scores (1, 1, M)
        masks = self._processor.post_process_masks(outputs.pred_masks, [(height, width)])[0]  # (1, M, H, W) bool
        return masks[0, :, None].float(), outputs.iou_scores[0, 0]

    def _prompt_inputs(self, prompt: Prompt, size: tuple[int, int]) -> dict[str, Tensor]:
        """A prompt as Sam2Model takes it, scaled from the photo to the square that the model sees."""
        points = [list(map(float, point)) for point in (*prompt.positive, *prompt.negative)]
        labels = [1] * len(prompt.positive) + [0] * len(prompt.negative)
        given: dict[str, Any] = {}
        if points:
            given |= {"input_points": [[points]], "input_labels": [[labels]]}  # one photo, one part
        if prompt.box is not None:
            given["input_boxes"] = [[list(map(float, prompt.box))]]
        inputs = self._processor(original_sizes=[[size[1], size[0]]], return_tensors="pt", **given)
        tensors = {name: inputs[name].to(self.device) for name in given}
        if prompt.mask is not None:
            side = self.model.prompt_encoder.mask_input_size
            rough = F.interpolate(prompt.mask.float(), side, mode="bilinear", align_corners=False, antialias=True)
            tensors["input_masks"] = ((2 * rough - 1) * MASK_LOGIT).to(self.device)
        return tensors


def prompt_from_mask(mask: Tensor, use: PromptKind = "box") -> Prompt:
    """Ask for what a mask (1, 1, H, W) in 0..1 shows: by its box and a margin, by its deepest point, or by both.

    Raises IGRError for an empty mask.
    """
    if not bool((mask >= MASK_THRESHOLD).any()):
        raise IGRError("The mask is empty: paint the garment white on black.")
    point = (deepest_point(mask),) if use in ("points", "both") else ()
    return Prompt(positive=point, box=_box_with_margin(mask) if use in ("box", "both") else None)


def deepest_point(mask: Tensor) -> Point:
    """The pixel (x, y) around which the largest square fits into a mask (1, 1, H, W) that is not empty.

    Of several such pixels it is the one nearest to their mean.
    """
    return _deepest(mask)[0]


def deepest_reach(mask: Tensor) -> int:
    """Pixels from that square's middle to its sides."""
    return _deepest(mask)[1]


def spread_points(mask: Tensor, most: int) -> tuple[Point, ...]:
    """Up to `most` deepest points of a mask (1, 1, H, W) that is not empty, each in what earlier squares left free.

    Points of less than half the first one's reach are left out. Large masks are searched on a coarse grid.
    """
    step = max(1, max(mask.shape[-2:]) // _POINTS_SIDE)
    rest = mask[..., ::step, ::step].clone()
    if not bool((rest >= MASK_THRESHOLD).any()):
        step, rest = 1, mask.clone()
    points: list[Point] = []
    least = 0.0
    while len(points) < most and bool((rest >= MASK_THRESHOLD).any()):
        (x, y), reach = _deepest(rest)
        if reach < least:
            break
        points.append((x * step, y * step))
        least = least or reach / 2
        column, row = int(x), int(y)
        rest[..., max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = 0
    return tuple(points)


def _deepest(mask: Tensor) -> tuple[Point, int]:
    """Middle and reach of the largest square that fits into a mask (1, 1, H, W)."""
    inside = (mask[0, 0] >= MASK_THRESHOLD).long()  # float32 cannot count the pixels of a large photo
    sums = F.pad(inside.cumsum(0).cumsum(1), (1, 0, 1, 0))  # (H + 1, W + 1), sum of all above and to the left
    low, high = 0, (min(inside.shape) - 1) // 2  # a square of reach 0, a pixel, fits; find the largest reach that does
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if bool(_fits(sums, middle).any()) else (low, middle - 1)
    found = _fits(sums, low).nonzero()  # (N, 2) rows and columns
    row, column = found[(found - found.float().mean(0)).square().sum(1).argmin()].tolist()
    return (float(column + low), float(row + low)), low


def _fits(sums: Tensor, reach: int) -> Tensor:
    """Where a square of `reach` pixels on every side is inside throughout, by its middle less `reach`."""
    side = 2 * reach + 1
    count = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return count == side * side


def _box_with_margin(mask: Tensor) -> Box:
    left, top, right, bottom = mask_box(mask)
    across, down = BOX_MARGIN * (right - left), BOX_MARGIN * (bottom - top)
    height, width = mask.shape[-2:]
    return (
        max(left - across, 0.0),
        max(top - down, 0.0),
        min(right - 1 + across, width - 1.0),
        min(bottom - 1 + down, height - 1.0),
    )


class _Library(NamedTuple):
    model: Any
    prompts: Any
    images: Any


def _library() -> _Library:
    """Model, prompt processor and image processor of transformers; IGRError where it has none."""
    import transformers

    try:
        from transformers import Sam2Model, Sam2Processor

        # Before 5 the one that takes tensors is called Fast, and there is no other.
        name = "Sam2ImageProcessor" if hasattr(transformers, "Sam2ImageProcessor") else "Sam2ImageProcessorFast"
        images = getattr(transformers, name)
    except (ImportError, AttributeError) as error:
        raise IGRError(
            f"transformers {transformers.__version__} has no SAM 2 here: it takes {OLDEST_TRANSFORMERS} or newer, "
            f"and torchvision (pip install --upgrade transformers torchvision)."
        ) from error
    return _Library(Sam2Model, Sam2Processor, images)


def _check_folder(folder: Path) -> None:
    config = folder / "config.json"
    if not config.is_file() or not any(folder.glob("*.safetensors")):
        raise IGRError(
            f"{folder} holds no SAM 2: name a folder with its config.json and *.safetensors "
            f"(facebook/sam2.1-hiera-large, say, once downloaded)."
        )
    try:
        kind = json.loads(config.read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IGRError(f"{config} names no model_type: copy the folder of SAM 2 again.") from error
    if kind not in _MODEL_TYPES:
        raise IGRError(f"{folder} holds a model of type {kind!r}, not SAM 2: name another folder.")


def _check_complete(folder: Path, model: Sam2Model, missing: set[str]) -> None:
    """Fill in the twin of the positional embedding where one is left out; IGRError for any other missing tensor."""
    if len(missing & set(_TWINS)) == 1:
        one = model.shared_image_embedding.positional_embedding
        other = model.prompt_encoder.shared_embedding.positional_embedding
        one.copy_(other) if _TWINS[0] in missing else other.copy_(one)
        missing -= set(_TWINS)
    if missing:
        raise IGRError(f"{folder} lacks {len(missing)} tensors of SAM 2, {min(missing)} among them: copy it again.")
