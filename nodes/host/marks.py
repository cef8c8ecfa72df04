"""Mark the conditionings that use the reference, so that ComfyUI passes the mark to each call to the model.

Samplers reorder, stack, split and copy conditionings; only the entries of `model_conds` always stay with their prompt,
even when ComfyUI copies a conditioning so that another prompt covers the same area.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import comfy.conds
import torch
from torch import Tensor

from ...igr_core.errors import IGRError

KEY = "igr_reference"
"""Name of the mark in `model_conds` and in the UNet's arguments."""
Conditionings = dict[str, list[dict[str, Any]]]
"""A guider's converted conditionings, by the guider's names for them."""


Area = tuple[int, ...]
"""Height, width, top and left of the part of the latent that a conditioning covers, in cells."""

Place = tuple[float, float, float, float]
"""Top, left, bottom and right of part of an image, relative to the image's longer side."""


class Seen(NamedTuple):
    """What one call of the model needs to know about its conditionings, without reading from the device."""

    marks: tuple[bool, ...]
    """Whether each of the stacked conditionings uses the reference, in the order of the batch."""
    area: Area | None
    """Area of the conditionings that use the reference; None for the whole latent."""


class Mark(comfy.conds.CONDRegular):
    """Whether a conditioning uses the reference, the prompt of its IGR Apply, and its area."""

    def __init__(self, cond: bool, prompt: Tensor, area: Area | None = None) -> None:
        super().__init__(cond)
        self.prompt = prompt
        """Text embedding (1, T, C) that IGR Apply gave the conditioning."""
        self.area = area
        """The area, known only once the conditioning is used."""

    def _copy_with(self, cond: bool) -> Mark:
        return Mark(cond, self.prompt, self.area)

    def process_cond(self, batch_size: int, area: Any = None, **_: Any) -> Mark:
        """One mark for the whole conditioning, whatever the batch size."""
        return self if area is None else Mark(self.cond, self.prompt, tuple(area))

    def can_concat(self, other: Mark) -> bool:
        """Conditionings can run in one call if they cover the same area, or if none of them uses the reference.

        ComfyUI only stacks latents of one size, so two areas are also the same if one is the whole latent.
        """
        return None in (self.area, other.area) or self.area == other.area or not (self.cond or other.cond)

    def concat(self, others: list[Mark]) -> Seen:
        """The marks of the stacked conditionings."""
        stacked = [self, *others]
        area = next((mark.area for mark in stacked if mark.cond), None)
        return Seen(tuple(mark.cond for mark in stacked), area)

    def size(self) -> list[int]:
        """Shape for ComfyUI's memory estimate."""
        return [1]


def conditioning(prompt: Tensor, uses_reference: bool) -> list[Any]:
    """A CONDITIONING with a text embedding (1, T, C), marked as using the reference or not."""
    return [[prompt, {"model_conds": {KEY: Mark(uses_reference, prompt)}}]]


def uses_reference(conditionings: list[Any]) -> bool:
    """Whether a CONDITIONING has an entry that is marked as using the reference."""
    marks = (one[1].get("model_conds", {}).get(KEY) for one in conditionings)
    return any(mark is not None and mark.cond for mark in marks)


def check_positive(conditionings: list[Any]) -> None:
    """Raise IGRError for a positive CONDITIONING of which no entry uses the reference, although all are marked."""
    marks = [one[1].get("model_conds", {}).get(KEY) for one in conditionings]
    if marks and all(mark is not None and not mark.cond for mark in marks):
        raise IGRError(
            "The positive conditioning comes from IGR Apply's negative output, so the photo would not be used: connect "
            "IGR Apply's positive to positive, and its negative to negative."
        )


def with_marks(conditionings: Conditionings, prompt: Tensor) -> Conditionings:
    """A guider's conditionings, each with a mark; `prompt` (1, T, C) is the prompt of IGR Apply's positive output.

    If none of them uses the reference, because another node recreated them or they come from elsewhere, the ones that
    the guider calls positive are marked. Raises IGRError if the guider has no positive conditioning, or has one from
    another IGR Apply, whose prompt does not belong to this reference.
    """
    known = {name: [_marked(one, prompt) for one in several] for name, several in conditionings.items()}
    if not any(True in marks for marks in known.values()):
        if not known.get("positive"):
            raise IGRError(
                "No conditioning comes from IGR Apply: connect its positive output to the sampler or guider."
            )
        known["positive"] = [mark is None for mark in known["positive"]]
    return {
        name: [
            {**one, "model_conds": {**one["model_conds"], KEY: Mark(bool(mark), prompt)}}
            for one, mark in zip(several, known[name], strict=True)
        ]
        for name, several in conditionings.items()
    }


def _marked(one: dict[str, Any], prompt: Tensor) -> bool | None:
    """Whether a conditioning is marked as using the reference; None if it has no mark.

    A prompt that another node has zeroed out counts as unconditional. Raises IGRError as with_marks does.
    """
    mark: Mark | None = one["model_conds"].get(KEY)
    if mark is None:
        return None
    if mark.cond and not torch.equal(mark.prompt, prompt):
        raise IGRError(
            "The conditioning comes from another IGR Apply, with another category or bundle: connect positive and "
            "model from the same IGR Apply."
        )
    text = one.get("cross_attn")
    zeroed = text is None or (not bool(text.any()) and bool(prompt.any()))
    return mark.cond and not zeroed


def place_of(area: Area | None, size: tuple[int, int], whole: tuple[int, int]) -> Place | None:
    """The place of a call's latent of `size` (height, width) in the `whole` latent; None if it covers the whole.

    Raises IGRError for part of an image whose area is not known.
    """
    longer = max(whole)
    if area is not None:
        height, width, top, left = area
        return (top / longer, left / longer, (top + height) / longer, (left + width) / longer)
    if size[0] < whole[0] or size[1] < whole[1]:
        raise IGRError(
            "A node after IGR Apply computes the image in parts, but the model needs to know where each part lies: "
            "remove that node."
        )
    return None
