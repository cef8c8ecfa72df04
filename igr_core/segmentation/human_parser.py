"""Human parsing with a transformers segmentation model in a local folder: label maps and garment masks of photos."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import IGRError
from ..files import check_model_folder
from ..json_text import read_json
from ..ranges import Range
from ..text import counted
from .labels import KNOWN, LabelNames, Parsed, garment_mask, known_labels
from .model_folder import FolderLoader, count_weights, load_folder, read_config

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SIDE, _MEAN, _SPREAD = Range(32, 2048), Range(-10, 10), Range(0.001, 10)
"""Ranges of the input's sides in pixels, and of the means and deviations of its channels."""
_WHAT = "a human parser"
"""Name of the model in error messages."""
_NAMED_LABELS = 4
"""Maximum number of unknown labels that an error lists."""


@dataclass(frozen=True)
class ParserInput:
    """Preprocessing of a parser's input; the defaults are SegFormer's."""

    size: tuple[int, int] = (512, 512)
    """Height and width to which every photo is resized."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Means, which are subtracted from the channels of an image in 0..1."""
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Standard deviations, by which the channels are then divided."""


class FoundGarments(NamedTuple):
    """Garments that a parser found, one per photo."""

    masks: Tensor
    """(B, 1, H, W), 0 or 1."""
    categories: tuple[str, ...]
    """Category of each garment: upper, lower or full."""
    certainty: tuple[float, ...]
    """Mean certainty of the parser in each mask, 0..1."""


class HumanParser:
    """A semantic segmentation model with a known set of labels."""

    def __init__(self, model: PreTrainedModel, names: LabelNames, takes: ParserInput | None = None) -> None:
        """Wrap a model, which stays on its device and is switched to evaluation mode."""
        self.model = model.eval().requires_grad_(False)
        """The model."""
        self.names = names
        """Names of the model's labels."""
        self.takes = takes or ParserInput()
        """Preprocessing of the model's input."""

    @classmethod
    def from_folder(cls, folder: str | Path, device: str | torch.device = "cpu") -> HumanParser:
        """Load a folder with config.json, *.safetensors and preprocessor_config.json, in float32; never downloads.

        Raises IGRError if the folder, its config.json or its weights are missing, if it contains another type of model,
        if a file is invalid, or if its labels are not a known set. SegFormer's preprocessing is the default.
        """
        folder = Path(folder)
        names = _read_labels(folder)  # before any weight is read
        takes = _read_input(folder)
        model, missing = load_folder(_loader(), folder, lambda model: _check_scores(model, takes, len(names.labels)))
        if missing:
            raise IGRError(
                f"{folder} is missing {counted(len(missing), 'weight')}, such as {min(missing)}: copy the folder again."
            )
        torch.nn.Module.to(model, device)
        return cls(model, names, takes)

    def parse(self, photos: Tensor) -> Tensor:
        """Label maps (B, H, W) int64 for photos (B, 3, H, W) in 0..1; raises IGRError as parse_surely does."""
        return self.parse_surely(photos).labels

    @torch.no_grad()
    def parse_surely(self, photos: Tensor) -> Parsed:
        """Label maps of photos (B, 3, H, W) in 0..1, and how certain the parser is of them.

        Raises IGRError for a wrong shape and for NaN.
        """
        if photos.ndim != 4 or photos.shape[1] != 3 or 0 in photos.shape:
            raise IGRError(f"The photo has shape {tuple(photos.shape)}: it must be (batch, 3, height, width).")
        height, width = photos.shape[-2:]
        labels, certainty = [], []
        for one in photos.split(1):
            logits = self._logits(one)
            labels.append(_labels_at(logits, height, width))
            certainty.append(logits.softmax(1).amax(1))
        return Parsed(torch.cat(labels).to(photos.device), torch.cat(certainty).to(photos.device))

    def garments(self, photos: Tensor, category: str) -> FoundGarments:
        """Find the garments of a category in photos (B, 3, H, W) in 0..1.

        Raises IGRError as labels.garment_mask does.
        """
        parsed = self.parse_surely(photos)
        masks, categories = garment_mask(parsed.labels, self.names, category)
        return FoundGarments(masks, categories, parsed.certainty_in(masks))

    def _logits(self, photo: Tensor) -> Tensor:
        """Scores (1, labels, h, w) of one photo (1, 3, H, W)."""
        device = next(self.model.parameters()).device
        pixels = photo.to(device, torch.float32).clamp(0, 1)
        pixels = F.interpolate(pixels, self.takes.size, mode="bilinear", antialias=True, align_corners=False)
        mean, deviation = (
            pixels.new_tensor(values).view(1, -1, 1, 1) for values in (self.takes.mean, self.takes.deviation)
        )
        logits = self.model(pixel_values=(pixels - mean) / deviation).logits
        if not bool(torch.isfinite(logits).all()):
            raise IGRError(
                "The parser's result contains NaN or infinite values, so the weights or the photo are damaged: copy "
                "the files again."
            )
        return logits


def check_parser(folder: Path) -> None:
    """Check the files of a parser's folder without reading its weights; raises IGRError as from_folder does."""
    _read_labels(folder)
    _read_input(folder)
    count_weights(folder, _WHAT)


def _loader() -> FolderLoader:
    from transformers import AutoConfig, AutoModelForSemanticSegmentation

    kind = AutoModelForSemanticSegmentation
    local = {"trust_remote_code": False}
    return FolderLoader(
        _WHAT,
        partial(AutoConfig.from_pretrained, **local),
        partial(kind.from_config, **local),
        partial(kind.from_pretrained, **local),
        "eager",
    )


def _check_scores(model: Any, takes: ParserInput, labels: int) -> None:
    """Run a parser on a photo without data (meta device); raises IGRError unless it returns a score for each label."""
    shape = tuple(model(pixel_values=torch.empty((1, 3, *takes.size), device="meta")).logits.shape)
    if len(shape) != 4 or shape[:2] != (1, labels) or 0 in shape:
        raise IGRError(f"its scores have shape {shape} instead of (1, {labels}, height, width)")


def _labels_at(logits: Tensor, height: int, width: int) -> Tensor:
    """The best label for every pixel, (1, H, W), from scores (1, labels, h, w) resized bilinearly one label at a time.

    Resizing all labels at once would need a gigabyte of memory for a 12-megapixel photo.
    """
    best = logits.new_full((1, 1, height, width), -torch.inf)
    labels = torch.zeros((1, 1, height, width), dtype=torch.long, device=logits.device)
    for number, score in enumerate(logits.split(1, 1)):
        resized = F.interpolate(score, (height, width), mode="bilinear", align_corners=False)
        labels = torch.where(resized > best, number, labels)
        best = torch.maximum(best, resized)
    return labels[:, 0]


def _read_labels(folder: Path) -> LabelNames:
    """The known set of labels in a folder's config.json."""
    check_model_folder(folder, _WHAT)
    config = read_config(folder)
    if not any(folder.glob("*.safetensors")):
        raise IGRError(
            f"{folder} has no .safetensors weights: get the model in this format; no other format is supported."
        )
    named = config.get("id2label")
    try:
        by_number = {int(number): str(name) for number, name in named.items()} if isinstance(named, dict) else {}
    except ValueError as error:
        raise IGRError(
            f"{folder / 'config.json'} has id2label keys that are not integers: download the file again."
        ) from error
    labels = [name for _, name in sorted(by_number.items())]
    names = known_labels(labels) if sorted(by_number) == list(range(len(by_number))) else None
    if names is None:
        shown = ", ".join(labels[:_NAMED_LABELS]) + (", …" if len(labels) > _NAMED_LABELS else "") if labels else "none"
        known = ", ".join(one.name for one in KNOWN[:-1]) + f" or {KNOWN[-1].name}"
        raise IGRError(
            f"{folder} is not a known human parser, because the labels in its config.json are {shown}: choose a model "
            f"with the labels of {known}."
        )
    return names


def _read_input(folder: Path) -> ParserInput:
    """The input settings in a folder's preprocessor_config.json; SegFormer's settings if there is no such file."""
    path = folder / "preprocessor_config.json"
    config = read_json(path, "copy the file again") if os.path.lexists(path) else {}
    _check_steps(path, config)
    defaults = ParserInput()
    size = config.get("size", defaults.size)
    try:
        if isinstance(size, dict):
            size = (size["height"], size["width"])
        elif isinstance(size, int):  # older files
            size = (size, size)
        height, width = (int(side) for side in size)
        mean, deviation = (
            tuple(float(value) for value in config.get(key, default))
            for key, default in (("image_mean", defaults.mean), ("image_std", defaults.deviation))
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise IGRError(f"{path} is not valid ({error}): copy the file again; size needs height and width.") from error
    if len(mean) != 3 or len(deviation) != 3:
        raise IGRError(f"{path} must have three means and three standard deviations: copy the file again.")
    if config.get("do_normalize") is False:
        mean, deviation = (0.0,) * 3, (1.0,) * 3
    for limit, values, name in (
        (_SIDE, (height, width), "size"),
        (_MEAN, mean, "image_mean"),
        (_SPREAD, deviation, "image_std"),
    ):
        for value in values:
            limit.check(value, f"{path}: {name}")
    return ParserInput((height, width), mean, deviation)


def _check_steps(path: Path, config: dict[str, Any]) -> None:
    """Raise IGRError for preprocessing other than resizing photos and dividing them by 255."""
    factor = config.get("rescale_factor", 1 / 255)
    scaled = config.get("do_rescale") is not False and isinstance(factor, (int, float)) and abs(factor * 255 - 1) < 0.01
    for name, usual in (("do_resize", config.get("do_resize") is not False), ("do_rescale", scaled)):
        if not usual:
            raise IGRError(
                f"{path} does not resize photos and divide them by 255 ({name}), which is not supported: choose "
                "another parser."
            )
