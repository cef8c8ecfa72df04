"""GarmFus (paper section 3.2) on a clone of a MODEL: Eq. 4 in self-attention and Eq. 3 in cross-attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy.patcher_extension import CallbacksMP, WrappersMP
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.model.garmfus import (
    Noted,
    Position,
    RowPlan,
    attend,
    image_prompt_attention,
    reference_self_attention,
)
from ...igr_core.model.pruning import KeptCells
from ...igr_core.text import counted
from . import marks
from .blocks import self_attention_layer, transformer_blocks
from .compiling import uncompiled
from .encoding import TAKEN, Reference

_KEY = "igr"
NOTES = "igr_notes"
"""Key in the transformer options for the Notes of a call whose attention is read."""

IMAGES = "igr_images"
"""Key in the transformer options for the original indices of images that were taken from another batch."""

Replacement = Callable[[Tensor, Tensor, Tensor, dict[str, Any]], Tensor]
"""A ComfyUI attention replacement: query, key, value and the call's options -> output before to_out."""


def has_reference(model: Any) -> bool:
    """Whether a MODEL was patched by apply_reference and still has the patch."""
    return bool(model.get_wrappers(WrappersMP.DIFFUSION_MODEL, _KEY))


def reference_of(model: Any) -> Reference:
    """The reference of a MODEL for which has_reference is true."""
    return model.get_wrappers(WrappersMP.DIFFUSION_MODEL, _KEY)[0].reference


def apply_reference(
    model: Any,
    reference: Reference,
    strengths: dict[str, float],
    image_prompt_strength: float,
    start_percent: float,
    end_percent: float,
) -> Any:
    """A clone of `model` that attends to the reference between two points in sampling; `model` is not changed.

    `strengths` contains reference strengths by block name. Raises IGRError if the model already has a reference.
    """
    patched = model.clone()
    if has_reference(patched):
        raise IGRError(
            "The model already has a reference from another IGR Apply: connect model to IGR Load, or join the photos "
            "of a garment with Combine References."
        )
    moments = None
    if start_percent > 0 or end_percent < 1:
        sampling = patched.get_model_object("model_sampling")
        moments = (sampling.percent_to_sigma(start_percent), sampling.percent_to_sigma(end_percent))
    fusion = GarmFusPatch(reference, strengths, image_prompt_strength, moments)
    wrappers = {WrappersMP.OUTER_SAMPLE: fusion.sample, WrappersMP.DIFFUSION_MODEL: fusion}
    for place, wrapper in wrappers.items():
        patched.add_wrapper_with_key(place, _KEY, wrapper)
    callbacks = {
        CallbacksMP.ON_PRE_RUN: fusion.forget,
        CallbacksMP.ON_APPLY_HOOKS: fusion.forget_weights,
        CallbacksMP.ON_CLEANUP: fusion.forget,
    }
    for moment, callback in callbacks.items():
        patched.add_callback_with_key(moment, _KEY, callback)
    return patched


def with_images(options: dict[str, Any], numbers: Sequence[int]) -> dict[str, Any]:
    """A MODEL's options with the indices of images that were taken from a batch."""
    transformer = {**options.get("transformer_options", {}), IMAGES: tuple(numbers)}
    return {**options, "transformer_options": transformer}


@dataclass(frozen=True)
class Notes:
    """Queries and keys of one call; a separate object, because ComfyUI copies dictionaries."""

    by_block: dict[str, list[Noted]]
    """The blocks to record, each with its attention."""


@dataclass(frozen=True)
class _Call:
    """One call of the denoiser."""

    plan: RowPlan
    """The references that each row uses."""
    image_plan: RowPlan
    """The image prompt that each row uses, which comes from its garment's first photo."""
    marks: tuple[bool, ...]
    """Whether each of the conditionings that ComfyUI stacked uses the reference."""
    unet: Any
    """ComfyUI's UNet."""
    latent_shape: tuple[int, int]
    """Height and width of the latent."""
    area: marks.Area | None
    """The part of the image that the latent covers; None for the whole image."""


class GarmFusPatch:
    """A wrapper around ComfyUI's UNet that adds GarmFus to each call.

    The attention replacements exist for one call and wrap those of other nodes, whether earlier or later in the
    workflow, so that other nodes' patches stay active and no MODEL is changed. Rows are planned for every call, because
    ComfyUI decides only then which conditionings it stacks.
    """

    def __init__(
        self,
        reference: Reference,
        strengths: dict[str, float],
        image_prompt_strength: float,
        moments: tuple[float, float] | None,
    ) -> None:
        self.reference = reference
        self.strengths = {name: strength for name, strength in strengths.items() if strength != 0}
        self.image_prompt_strength = image_prompt_strength
        self.moments = moments
        self.blocks = transformer_blocks(reference.config.denoiser)
        self._kept: dict[tuple[Any, str], tuple[Tensor, Tensor]] = {}
        self._copied: dict[tuple[str, torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}
        self._positions: dict[tuple[Any, ...], Position] = {}
        self._plans: dict[tuple[tuple[bool, ...], int, tuple[int, ...] | None], tuple[RowPlan, RowPlan]] = {}
        self._sigma: tuple[Tensor, float] | None = None
        self._whole = (0, 0)

    def forget(self, *_: Any) -> None:
        """Clear everything that is kept between steps."""
        self.forget_weights()
        self._copied.clear()
        self._positions.clear()
        self._plans.clear()
        self._sigma = None

    def forget_weights(self, *_: Any) -> None:
        """Clear everything that was computed with the denoiser's weights, which LoRAs and hooks change."""
        self._kept.clear()

    def sample(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a guider's sampling with marked conditionings, and without torch.compile; args[0] is the noise."""
        guider = executor.class_obj
        self._whole = (args[0].shape[-2], args[0].shape[-1])
        guider.conds = marks.with_marks(guider.conds, self.reference.prompt)
        with uncompiled(guider.model_options):
            return executor(*args, **kwargs)

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the UNet; args are ComfyUI's x, timesteps, context, y, control and transformer_options."""
        args = list(args)
        latent: Tensor = args[0]
        options = kwargs.get("transformer_options") or args[5]
        seen: marks.Seen | None = kwargs.pop(marks.KEY, None)
        if seen is None or not any(seen.marks) or not self._is_active(options):
            return executor(*args, **kwargs)
        plans = self._plan(seen.marks, latent.shape[0], options.get(IMAGES))
        size = (latent.shape[2], latent.shape[3])
        call = _Call(*plans, seen.marks, executor.class_obj, size, seen.area)
        patched = self._patched(options, call)
        if "transformer_options" in kwargs:
            kwargs["transformer_options"] = patched
        else:
            args[5] = patched
        return executor(*args, **kwargs)

    def _plan(self, seen: tuple[bool, ...], rows: int, images: tuple[int, ...] | None) -> tuple[RowPlan, RowPlan]:
        """References and image prompts of all rows; rows of marked conditionings use the garments in batch order.

        `images` are the indices of images that were taken from another batch. Raises IGRError if they are only some of
        several garments.
        """
        if (seen, rows, images) not in self._plans:
            count, known = rows // len(seen), self.reference.latent_shape[0]
            if rows % len(seen):
                raise IGRError(
                    "A node after IGR Apply splits the batch, so references and images no longer match: remove that "
                    "node."
                )
            if known > 1 and images not in (None, tuple(range(count))):
                raise IGRError(TAKEN)
            if count % known:
                raise IGRError(
                    f"The latent has {counted(count, 'image')}, but the reference has {counted(known, 'photo')}: "
                    "connect IGR Apply's latent, or repeat it a whole number of times."
                )
            first = tuple(row % known if sees else -1 for sees in seen for row in range(count))
            image = every = RowPlan(first)
            if (photos := self.reference.photos) > 1:
                every = RowPlan(tuple(-1 if row < 0 else tuple(range(row, known * photos, known)) for row in first))
            self._plans[seen, rows, images] = (every, image)
        return self._plans[seen, rows, images]

    def _is_active(self, options: dict[str, Any]) -> bool:
        """Whether the reference is active at the noise level of a call, which is read from the device once per step."""
        if self.moments is None:
            return True
        sigmas, known = options["sigmas"], self._sigma
        if known is None or known[0] is not sigmas:
            known = self._sigma = (sigmas, float(sigmas.flatten()[0]))
        start, end = self.moments
        return end <= known[1] <= start

    def _patched(self, options: dict[str, Any], call: _Call) -> dict[str, Any]:
        """The call's options plus ours; ComfyUI's own dictionaries are not changed."""
        replaced = {kind: dict(blocks) for kind, blocks in options.get("patches_replace", {}).items()}
        patches = dict(options.get("patches", {}))
        own, image = replaced.setdefault("attn1", {}), replaced.setdefault("attn2", {})
        features = self.reference.features
        for name, block in self.blocks.items():
            if name in self.strengths and features:
                own[block] = self._self_attention(name, call, own.get(block) or own.get(block[:2]))
            if self.image_prompt_strength != 0 and self.reference.image_keys_values:
                image[block] = self._cross_attention(name, call, image.get(block) or image.get(block[:2]))
        if self.reference.config.reference_position != "none" and self.strengths and features:
            patches["attn1_patch"] = [self._located(call), *patches.get("attn1_patch", [])]
        return {**options, "patches": patches, "patches_replace": replaced}

    def _located(self, call: _Call) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
        """A patch that adds the position embedding to the inputs of to_q and to_k in rows with a reference."""
        active = {self.blocks[name] for name in self.strengths}

        def patch(hidden: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
            if (*options["block"], options["block_index"]) not in active:
                return hidden, key, value
            place = marks.place_of(call.area, call.latent_shape, self._whole)
            position = self._position(call.latent_shape, hidden.device, place)
            located = call.plan.by_rows(lambda rows: rows, lambda rows: rows + position(rows), hidden)
            return located, located, value

        return patch

    def _self_attention(self, name: str, call: _Call, inner: Replacement | None) -> Replacement:
        """Reference self-attention (Eq. 4) of one block, wrapped around another node's replacement if there is one."""
        strength, kept = self.strengths[name], self.reference.kept.get(name)

        def replacement(query: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> Tensor:
            tiles = query.shape[0] // len(call.plan.source)
            if key.shape[0] != query.shape[0]:  # HyperTile only splits the queries into tiles
                key, value = (x.reshape(query.shape[0], -1, x.shape[-1]) for x in (key, value))
            rows = call.plan.repeated(tiles)
            attention = _Attention(inner, options, call.marks)

            def plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
                return attention(query, key, value, marked=False)

            def fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
                pair = self._keys_values(name, call.unet, key)
                counts = None if kept is None else kept.counts

                def look(part: RowPlan, numbers: list[int], query: Tensor, key: Tensor, value: Tensor) -> Tensor:
                    reference_key, reference_value = (part.pick(x, counts) for x in pair)
                    places = [rows.referenced.index(row) for row in numbers]
                    noted = Noted(places, query, reference_key, key, options["n_heads"])
                    _note(options, name, tiles, noted, kept, part)
                    return attention.fused(query, key, value, reference_key, reference_value, strength)

                return rows.by_count(look, query, key, value, counts=counts)

            return rows.by_rows(plain, fused, query, key, value)

        return replacement

    def _cross_attention(self, name: str, call: _Call, inner: Replacement | None) -> Replacement:
        """Image-prompt cross-attention (Eq. 3) of one block, added to the text attention or another replacement."""

        def replacement(query: Tensor, key: Tensor, value: Tensor, options: dict[str, Any]) -> Tensor:
            attention = _Attention(inner, options, call.marks)
            out = attention(query, key, value)
            image_key, image_value = (call.image_plan.pick(x) for x in self._image_prompt(name, query))

            def with_prompt(out: Tensor, query: Tensor) -> Tensor:
                return out + image_prompt_attention(
                    query, image_key, image_value, options["n_heads"], self.image_prompt_strength, attention.masked
                )

            return call.image_plan.by_rows(lambda out, query: out, with_prompt, out, query)

        return replacement

    def _keys_values(self, name: str, unet: Any, like: Tensor) -> tuple[Tensor, Tensor]:
        """Reference keys and values, in the features' shape, from the denoiser's own projections.

        They are kept until the run ends.
        """
        if (unet, name) not in self._kept:
            attention = self_attention_layer(unet, self.blocks[name])
            features = located = self.reference.features[name].to(like)
            if self.reference.config.reference_position != "none":
                position = self._position(self.reference.latent_shape[2:], like.device, None)
                located = features + position(features, self.reference.kept.get(name))
            self._kept[unet, name] = (attention.to_k(located), attention.to_v(features))
        return self._kept[unet, name]

    def _image_prompt(self, name: str, like: Tensor) -> tuple[Tensor, Tensor]:
        """Image-prompt keys and values (R, T, C) of a block on the run's device, copied there once."""
        place = (name, like.device, like.dtype)
        if place not in self._copied:
            key, value = self.reference.image_keys_values[name]
            self._copied[place] = (key.to(like), value.to(like))
        return self._copied[place]

    def _position(self, latent_shape: tuple[int, int], device: torch.device, place: marks.Place | None) -> Position:
        """The position embedding of a latent (height, width), kept until the run ends."""
        key = (latent_shape, device, place)
        if key not in self._positions:
            self._positions[key] = Position(latent_shape, self.reference.config.reference_position_amplitude, place)
        return self._positions[key]


def _note(options: dict[str, Any], name: str, tiles: int, noted: Noted, kept: KeptCells | None, part: RowPlan) -> None:
    """Record the attention of a block, if the call is read; `part` is the plan of the rows."""
    notes: Notes | None = options.get(NOTES)
    if notes is None or name not in notes.by_block:
        return
    if tiles != 1:
        raise IGRError(
            "HyperTile splits the attention, so it cannot be read: connect Garment Evidence to a model without "
            "HyperTile."
        )
    if noted.query.shape[1] != noted.own_key.shape[1]:
        raise IGRError(
            "Another node merges tokens, so the attention cannot be read: connect a model without token merging."
        )
    notes.by_block[name].append(noted.located(kept, part))


class _Attention:
    """Attention of one block without GarmFus: ComfyUI's own or another node's replacement."""

    def __init__(self, inner: Replacement | None, options: dict[str, Any], marks: tuple[bool, ...]) -> None:
        self.inner = inner
        self.options = options
        self.marks = marks

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, marked: bool | None = None) -> Tensor:
        """Attend: (B, N, C), (B, M, C) x 2 -> (B, N, C), for the rows with this mark, or for all rows if it is None."""
        options = self.options if marked is None else self._for_rows(marked)
        if self.inner is not None:
            return self.inner(query, key, value, options)
        precision = options.get("attn_precision")
        return optimized_attention(
            query, key, value, options["n_heads"], attn_precision=precision, transformer_options=options
        )

    def fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        reference_key: Tensor,
        reference_value: Tensor,
        strength: float,
    ) -> Tensor:
        """Attend to the reference as well: own tokens (B, N, C) x 3, reference tokens (B, M, C) x 2 -> (B, N, C)."""
        if self.inner is None:
            heads = self.options["n_heads"]
            return reference_self_attention(
                query, key, value, reference_key, reference_value, heads, strength, self.masked
            )
        # Concatenate, let the other node attend, and keep the own half, in case the node returns all tokens.
        keys, values = torch.cat([reference_key, key], 1), torch.cat([reference_value, value], 1)
        out = self(query, keys, values, marked=True)[:, -query.shape[1] :]
        if strength >= 1:  # extrapolating the other node's output would not be attention
            return out
        return torch.lerp(self(query, key, value, marked=True), out, strength)

    def masked(self, query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None) -> Tensor:
        """garmfus.Attend with ComfyUI's attention; with a mask, which it may not broadcast, torch's is used instead."""
        if mask is not None:
            return attend(query, key, value, heads, mask)
        precision = self.options.get("attn_precision")
        return optimized_attention(query, key, value, heads, attn_precision=precision, transformer_options=self.options)

    def _for_rows(self, marked: bool) -> dict[str, Any]:
        """The call's options for only the rows that use a reference, or for only the others."""
        kept = [number for number, mark in enumerate(self.marks) if mark == marked]
        names = [name for name in ("cond_or_uncond", "uuids") if name in self.options]
        return {**self.options, **{name: [self.options[name][number] for number in kept] for name in names}}
