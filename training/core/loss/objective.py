"""The training objective (Eq. 1): noise samples, dropped conditions (Eq. 2), target and loss weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn
from torch.nn import functional as F

from igr_core.model.garmfus import Noted

from ...base.train_config import DropConfig
from ...prepared.latents import Batch, moved


@dataclass(frozen=True)
class Rows:
    """Denoiser rows of one step; row r belongs to pair r // draws."""

    noisy: Tensor
    """(B, 4, h, w) noisy garment latents."""
    timestep: Tensor
    """(B,) integer timesteps."""
    target: Tensor
    """(B, 4, h, w) target of the denoiser."""
    weight: Tensor
    """(B,) loss weights."""
    prompts: list[str]
    """B prompt names: the category, or `empty` if everything was dropped."""
    reference_rows: list[int | tuple[int, ...]]
    """B entries: the index of the row's photo, or a tuple of indices for several; -1 if the reference was dropped."""
    image_rows: list[int]
    """B entries: the index of the row's image prompt; -1 if the image prompt was dropped."""
    step_timestep: Tensor | None = None
    """Timesteps of all rows of the step, if these rows are only a part of it."""
    first: int = 0
    """Index of the first row within the step."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Rows:
        """The same rows on a device; asynchronous if they are in pinned memory."""
        return moved(self, device, non_blocking)


def drop_at(drop: DropConfig, step: int) -> DropConfig:
    """The drop probabilities at a step."""
    if drop.image_prompt_start is None or step >= drop.start_steps:
        return drop
    share = step / drop.start_steps
    image_prompt = drop.image_prompt_start + share * (drop.image_prompt - drop.image_prompt_start)
    return replace(drop, image_prompt=image_prompt)


def draw_rows(
    batch: Batch,
    scheduler: DDIMScheduler,
    drop: DropConfig,
    generator: torch.Generator,
    draws: int = 1,
    min_snr_gamma: float | None = None,
    only_timestep: int | None = None,
    part: tuple[int, int] = (0, 1),
) -> Rows:
    """Add noise to P pairs, `draws` times each, at random timesteps or at one given timestep; drop conditions per row.

    `part` is (k, n) if the batch is the k-th of n equal parts of a step, counted from 0. The draws of a step do not
    depend on the number of processes or micro-batches.
    """
    clean = batch.garment_latent.repeat_interleave(draws, dim=0)
    count = clean.shape[0]
    whole, own = count * part[1], slice(count * part[0], count * (part[0] + 1))
    noise = torch.randn((whole, *clean.shape[1:]), generator=generator)[own]
    # stratified over the step: still uniform, but with less variance between steps
    strata = (torch.arange(whole) + torch.rand(whole, generator=generator)) / whole
    strata = strata[torch.randperm(whole, generator=generator)]
    last = scheduler.config.num_train_timesteps - 1  # type: ignore[attr-defined]
    # the last stratum can round up to 1, which is one past the last timestep
    every = (strata * (last + 1)).long().clamp(max=last)
    if only_timestep is not None:
        every = torch.full_like(every, only_timestep)
    timestep = every[own]
    fate = torch.rand(whole, generator=generator)[own]
    nothing = fate < drop.everything
    no_image = nothing | ((fate >= drop.everything) & (fate < drop.everything + drop.image_prompt))
    no_reference = nothing | (fate >= 1 - drop.reference)
    pairs = [row // draws for row in range(count)]
    return Rows(
        scheduler.add_noise(clean, noise, timestep),  # type: ignore[arg-type]
        timestep,
        prediction_target(scheduler, clean, noise, timestep),
        loss_weight(scheduler, timestep, min_snr_gamma),
        ["empty" if lost else batch.categories[pair] for pair, lost in zip(pairs, nothing, strict=True)],
        [-1 if lost else _photos(batch, pair) for pair, lost in zip(pairs, no_reference, strict=True)],
        [-1 if lost else pair for pair, lost in zip(pairs, no_image, strict=True)],
        every,
        own.start,
    )


def _photos(batch: Batch, pair: int) -> int | tuple[int, ...]:
    """Index of a pair's photo, or a tuple of indices if it has several."""
    if batch.photos is None:
        return pair
    numbers = batch.photos[pair]
    return numbers if len(numbers) > 1 else numbers[0]


def prediction_target(scheduler: DDIMScheduler, clean: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
    """Noise (Eq. 1), or velocity for v-prediction models."""
    if scheduler.config.prediction_type == "v_prediction":  # type: ignore[attr-defined]
        return scheduler.get_velocity(clean, noise, timestep)  # type: ignore[arg-type]
    return noise


def loss_weight(scheduler: DDIMScheduler, timestep: Tensor, gamma: float | None) -> Tensor:
    """Min-SNR weights (Hang et al. 2023) of the rows, or ones without gamma.

    For v-prediction, the usual min(snr, gamma) / (snr + 1) would be 0 at the zero-SNR step, where a restoration model
    has the most to learn; min(snr + 1, gamma) / (snr + 1) keeps that step at 1, and caps the easy, clean steps in the
    same way.
    """
    if gamma is None:
        return torch.ones(timestep.shape[0])
    alpha = scheduler.alphas_cumprod[timestep]
    snr = alpha / (1 - alpha)
    if scheduler.config.prediction_type == "v_prediction":  # type: ignore[attr-defined]
        return (snr + 1).clamp(max=gamma) / (snr + 1)
    return snr.clamp(max=gamma) / snr


def row_loss(predicted: Tensor, rows: Rows) -> Tensor:
    """Weighted squared error of each row, (B,)."""
    error = F.mse_loss(predicted.float(), rows.target, reduction="none").mean(dim=(1, 2, 3))
    return error * rows.weight


def predict(model: nn.Module, rows: Rows, batch: Batch) -> Tensor:
    """Call the (perhaps wrapped) IGR module on one step's rows: (B, 4, h, w)."""
    return model(*_inputs(rows, batch))


def predict_watched(
    model: nn.Module, rows: Rows, batch: Batch, blocks: Sequence[str]
) -> tuple[Tensor, dict[str, list[Noted]]]:
    """Like `predict`, but also returns the queries and keys of the self-attention in these blocks."""
    return model(*_inputs(rows, batch), blocks)


def _inputs(rows: Rows, batch: Batch) -> tuple[Any, ...]:
    return (
        rows.noisy,
        rows.timestep,
        rows.prompts,
        batch.person_latent,
        batch.mask,
        batch.photo_categories,
        batch.image_features,
        rows.reference_rows,
        rows.image_rows,
    )


def substituted(rows: Rows, batch: Batch) -> dict[str, tuple[Rows, Batch]]:
    """The rows with all conditions, and with each condition substituted, to test whether the model uses them.

    `rows` must have been drawn without dropping conditions.
    """
    off = [-1] * len(rows.image_rows)
    shuffled = replace(
        batch, person_latent=batch.person_latent.roll(1, 0), mask=batch.mask.roll(1, 0), categories=batch.categories
    )
    return {
        "full": (rows, batch),
        "no_reference": (replace(rows, reference_rows=off), batch),
        "shuffled_reference": (rows, shuffled),
        "no_image_prompt": (replace(rows, image_rows=off), batch),
    }


def in_chunks(rows: Rows, batch: Batch, pairs: int) -> Iterator[tuple[Rows, Batch]]:
    """Split rows that were drawn once per pair into chunks of `pairs` pairs, each with only its own photo."""
    for start in range(0, len(batch.categories), pairs):
        part = slice(start, start + pairs)
        yield (
            Rows(
                rows.noisy[part],
                rows.timestep[part],
                rows.target[part],
                rows.weight[part],
                rows.prompts[part],
                [row - start if isinstance(row, int) and row >= 0 else -1 for row in rows.reference_rows[part]],
                [row - start if row >= 0 else -1 for row in rows.image_rows[part]],
            ),
            Batch(
                batch.garment_latent[part],
                batch.person_latent[part],
                batch.mask[part],
                batch.image_features[part],
                batch.categories[part],
                None if batch.correspondence is None else batch.correspondence[part],
            ),
        )
