"""Mark the conditionings that use the reference, so that ComfyUI passes the mark to each call to the model.

Samplers reorder, stack, split and copy conditionings; only the entries of `model_conds` always stay with their prompt,
even when ComfyUI copies a conditioning so that another prompt covers the same area.
"""

from __future__ import annotations

from typing import Any

import comfy.conds
from torch import Tensor

from ...igr_core.errors import IGRError

KEY = "igr_reference"
"""Name of the mark in `model_conds` and in the UNet's arguments."""
Conditionings = dict[str, list[dict[str, Any]]]
"""A guider's converted conditionings, by the guider's names for them."""


class Mark(comfy.conds.CONDRegular):
    """Whether each of the stacked conditionings uses the reference; a tuple, so nothing is read from the device."""

    def __init__(self, cond: tuple[bool, ...]) -> None:
        super().__init__(cond)

    def process_cond(self, batch_size: int, **_: Any) -> Mark:
        """One mark for the whole conditioning, whatever the batch size."""
        return self

    def can_concat(self, other: Mark) -> bool:
        """Marked and unmarked conditionings can run in one call."""
        return True

    def concat(self, others: list[Mark]) -> tuple[bool, ...]:
        """The marks of the stacked conditionings, in the order of the batch."""
        return sum((other.cond for other in others), self.cond)

    def size(self) -> list[int]:
        """Shape for ComfyUI's memory estimate."""
        return [len(self.cond)]


def conditioning(prompt: Tensor, sees_reference: bool) -> list[Any]:
    """A CONDITIONING with a text embedding (1, T, C), marked as using the reference or not."""
    return [[prompt, {"model_conds": {KEY: Mark((sees_reference,))}}]]


def with_marks(conditionings: Conditionings, prompt: Tensor) -> Conditionings:
    """A guider's conditionings, each with a mark; `prompt` (1, T, C) is the prompt of IGR Apply's positive output.

    If none of them uses the reference, because another node recreated them or they come from elsewhere, the ones that
    the guider calls positive are marked. Raises IGRError if the guider has no positive conditioning.
    """
    known = {name: [_marked(one, prompt) for one in several] for name, several in conditionings.items()}
    if not any(True in marks for marks in known.values()):
        if "positive" not in known:
            raise IGRError(
                "No conditioning comes from IGR Apply: connect its positive output to the sampler or guider."
            )
        known["positive"] = [mark is None for mark in known["positive"]]
    return {
        name: [
            {**one, "model_conds": {**one["model_conds"], KEY: Mark((bool(mark),))}}
            for one, mark in zip(several, known[name], strict=True)
        ]
        for name, several in conditionings.items()
    }


def _marked(one: dict[str, Any], prompt: Tensor) -> bool | None:
    """Whether a conditioning is marked as using the reference; None if it has no mark.

    A prompt that another node has zeroed out counts as unconditional.
    """
    mark = one["model_conds"].get(KEY)
    if mark is None:
        return None
    text = one.get("cross_attn")
    zeroed = text is None or (not bool(text.any()) and bool(prompt.any()))
    return mark.cond[0] and not zeroed
