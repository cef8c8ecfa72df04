"""Which conditionings see the reference: a mark beside what the model is given, carried by the host to each call.

Samplers order, stack, split and copy conditionings as they like; only what lies in `model_conds` stays with the prompt
that it belongs to, also where the host copies a conditioning to give the others the same area.
"""

from __future__ import annotations

from typing import Any

import comfy.conds
from torch import Tensor

from ...igr_core.errors import IGRError

KEY = "igr_reference"
"""The mark's name in `model_conds`, and among the arguments of the UNet."""
Conditionings = dict[str, list[dict[str, Any]]]
"""A guider's conditionings, as ComfyUI converts them, by the guider's name for them."""


class Mark(comfy.conds.CONDRegular):
    """Whether each of the conditionings stacked in a call sees the reference: a tuple, which no device has to read."""

    def __init__(self, cond: tuple[bool, ...]) -> None:
        super().__init__(cond)

    def process_cond(self, batch_size: int, **_: Any) -> Mark:
        """One mark stands for a whole conditioning, however many latents there are."""
        return self

    def can_concat(self, other: Mark) -> bool:
        """Marked and unmarked conditionings run in one call."""
        return True

    def concat(self, others: list[Mark]) -> tuple[bool, ...]:
        """The marks of the stacked conditionings, in the order of the batch."""
        return sum((other.cond for other in others), self.cond)

    def size(self) -> list[int]:
        """Shape for ComfyUI's memory estimate."""
        return [len(self.cond)]


def conditioning(prompt: Tensor, sees_reference: bool) -> list[Any]:
    """A CONDITIONING of a text embedding (1, T, C) that is marked as seeing the reference or not."""
    return [[prompt, {"model_conds": {KEY: Mark((sees_reference,))}}]]


def with_marks(conditionings: Conditionings, prompt: Tensor) -> Conditionings:
    """The conditionings of a guider, each with a mark; `prompt` (1, T, C) is the one of IGR Apply's positive.

    Where none of them sees the reference, a node on the way has made them anew or they come from elsewhere: then it is
    those that the guider calls positive. Raises IGRError where it calls none so.
    """
    known = {name: [_marked(one, prompt) for one in several] for name, several in conditionings.items()}
    if not any(True in marks for marks in known.values()):
        if "positive" not in known:
            raise IGRError("No conditioning comes from IGR Apply: connect its positive to the sampler or guider.")
        known["positive"] = [mark is None for mark in known["positive"]]
    return {
        name: [
            {**one, "model_conds": {**one["model_conds"], KEY: Mark((bool(mark),))}}
            for one, mark in zip(several, known[name], strict=True)
        ]
        for name, several in conditionings.items()
    }


def _marked(one: dict[str, Any], prompt: Tensor) -> bool | None:
    """Whether a conditioning sees the reference by its mark, or None without one.

    A prompt that was zeroed out on the way stands for no condition at all.
    """
    mark = one["model_conds"].get(KEY)
    if mark is None:
        return None
    text = one.get("cross_attn")
    zeroed = text is None or (not bool(text.any()) and bool(prompt.any()))
    return mark.cond[0] and not zeroed
