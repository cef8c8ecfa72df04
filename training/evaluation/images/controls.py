"""Controls, which no model generates; they show the range of the metrics in every table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.photo.image_files import decode_image
from igr_core.photo.images import photo_of_image, save_image
from igr_core.photo.inputs import MASK_THRESHOLD
from igr_core.photo.masks import mask_box
from igr_core.restore.restorer import GarmentRestorer, encode_crop

from ...data.contract.laid_out import fit_garment
from .subjects import Subjects, save_picture

CONTROLS = ("white", "rotated", "blurred", "pasted", "nearest")
"""Names of all controls."""
NEED_TRUTH = ("rotated", "blurred")
"""Controls that are made from the ground truth."""
TITLES = {
    "white": "plain white",
    "rotated": "truth, rotated by 5°",
    "blurred": "truth, blurred",
    "pasted": "worn garment pasted",
    "nearest": "nearest training garment",
}
"""Names in tables."""
DEGREES = 5.0
"""Rotation of the ground truth in degrees, an error that people hardly notice but that pixel metrics penalise."""
BLUR = 1 / 96
"""Standard deviation of the blur, as a fraction of the width: lettering is lost, but shape and colour remain."""
FILL = 0.88
"""Fraction of the canvas that a pasted garment fills in its tighter dimension, as flat garments do."""
BATCH = 16


def write_control(
    name: str,
    folder: Path,
    subjects: Subjects,
    truth: Path,
    restorer: GarmentRestorer,
    training: Subjects | None,
) -> None:
    """Write a control's image for every pair into `folder`; existing images are kept.

    `restorer` provides the size and, for `nearest`, the image encoder; `training` contains the pairs that `nearest`
    chooses from.
    """
    make_folder(folder)
    missing = [row for row, one in enumerate(subjects.names) if not (folder / f"{one}.png").is_file()]
    if not missing:
        return
    if name == "nearest":
        _write_nearest(folder, subjects, missing, restorer, training)
        return
    width, height = restorer.info.model.native_size
    makers: dict[str, Callable[[int], Image.Image | Tensor]] = {
        "white": lambda row: Image.new("RGB", (width, height), "white"),
        "rotated": lambda row: rotated(_open(truth / f"{subjects.names[row]}.png")),
        "blurred": lambda row: blurred(_open(truth / f"{subjects.names[row]}.png")),
        "pasted": lambda row: _pasted(subjects, row, restorer),
    }
    for row in tqdm(missing, desc=TITLES[name], unit="picture"):
        path, picture = folder / f"{subjects.names[row]}.png", makers[name](row)
        if isinstance(picture, Tensor):
            save_image(path, picture)
        else:
            save_picture(path, picture)


def rotated(picture: Image.Image, degrees: float = DEGREES) -> Image.Image:
    """The image rotated counter-clockwise about its centre, with corners filled with white."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")


def blurred(picture: Image.Image, share: float = BLUR) -> Image.Image:
    """The image with a Gaussian blur whose standard deviation is a fraction of its width."""
    return picture.filter(ImageFilter.GaussianBlur(share * picture.width))


def pasted_crop(person: Tensor, mask: Tensor, fill: float = FILL) -> Tensor:
    """The masked garment as worn, cropped to its bounding box, resized and centred on white.

    `person` is (B, 3, H, W) and `mask` (B, 1, H, W), both in 0..1; returns (B, 3, H, W) in 0..1.
    """
    return torch.cat([_paste(p, m, fill) for p, m in zip(person.split(1), mask.split(1), strict=True)])


def _paste(person: Tensor, mask: Tensor, fill: float) -> Tensor:
    canvas = torch.ones_like(person)
    if not bool((mask >= MASK_THRESHOLD).any()):
        return canvas
    left, top, right, bottom = mask_box(mask)
    height, width = person.shape[-2:]
    cover = mask[..., top:bottom, left:right]
    garment = person[..., top:bottom, left:right] * cover + (1 - cover)
    scale = fill * min(width / (right - left), height / (bottom - top))
    w, h = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    resized = F.interpolate(garment, (h, w), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    x, y = (width - w) // 2, (height - h) // 2
    canvas[..., y : y + h, x : x + w] = resized
    return canvas


def _pasted(subjects: Subjects, row: int, restorer: GarmentRestorer) -> Tensor:
    view = subjects.view([row], restorer.info.model)
    return pasted_crop(view.person, view.mask)


def _open(path: Path) -> Image.Image:
    return photo_of_image(decode_image(path, str(path)), str(path))


def _write_nearest(
    folder: Path, subjects: Subjects, missing: list[int], restorer: GarmentRestorer, training: Subjects | None
) -> None:
    if training is None or restorer.image_encoder is None:
        raise IGRError("The control `nearest` needs training pairs and a bundle with an image encoder.")
    wanted = crop_vectors(subjects, missing, restorer, "looking for the nearest")
    known = crop_vectors(training, range(len(training)), restorer, "training garments")
    chosen = nearest(wanted, [subjects.categories[row] for row in missing], known, training.categories)
    for row, one in zip(missing, chosen, strict=True):
        garment = fit_garment(training.source.garment(one), restorer.info.model.native_size)
        save_picture(folder / f"{subjects.names[row]}.png", garment)


@torch.no_grad()
def crop_vectors(subjects: Subjects, rows: Sequence[int], restorer: GarmentRestorer, title: str) -> Tensor:
    """One vector per crop (N, D), from the bundle's image encoder."""
    found = []
    for start in tqdm(range(0, len(rows), BATCH), desc=title, unit="batch"):
        crop = subjects.view(rows[start : start + BATCH], restorer.info.model).crop
        found.append(encode_crop(restorer.image_encoder, crop.to(restorer.device, restorer.dtype), "linear").cpu())  # type: ignore[arg-type]
    return torch.cat(found).float()


def nearest(wanted: Tensor, categories: Sequence[str], known: Tensor, known_categories: Sequence[str]) -> list[int]:
    """For each vector in `wanted` (N, D), the row of the most similar vector in `known` (M, D) of the same category.

    Similarity is the cosine after subtracting the mean of `known`. If no known vector has the category (VITON-HD only
    has upper garments), all are compared.
    """
    centre = known.mean(dim=0)
    alike = F.normalize(wanted - centre, dim=1) @ F.normalize(known - centre, dim=1).T
    same = torch.tensor([[one == other for other in known_categories] for one in categories])
    same |= ~same.any(dim=1, keepdim=True)
    return alike.masked_fill(~same, -torch.inf).argmax(dim=1).tolist()
