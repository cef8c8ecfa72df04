"""Pairs that are read and encoded during training; the values are the same as those of prepared pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..base.parts import CONFIGS, describe_content, load_image_encoder, load_vae
from ..base.train_config import TrainConfig
from ..data.contract.laid_out import LaidOutPairs, name_number
from .encoding import PromptLayout, encode_images
from .fits import model_config
from .latents import Batch
from .selection import PairsConfig, layout_of, open_pairs


class PixelPairs:
    """Training pairs from a YAML file with the fields of PairsConfig.

    They are slower than prepared pairs, but need no disk space for latents.
    """

    def __init__(self, pairs: PairsConfig, config: TrainConfig, where: str) -> None:
        """Open the data set and load the frozen networks; raises IGRError if that fails.

        `where` is the path of the YAML file, for messages.
        """
        model = model_config(config)
        self._model = model
        self._pairs: LaidOutPairs = open_pairs(pairs, layout_of(model, pairs), threads=config.data.workers)
        self._vae, _ = load_vae(config.data.vae)
        self._encoder, _ = load_image_encoder(config.data.image_encoder)
        self._layout: PromptLayout = model.image_prompt.layout if model.image_prompt is not None else "linear"
        self._limit = config.data.limit
        self.settings: list[dict[str, Any]] = [
            {
                **describe_content(config.data.vae, "vae"),
                **describe_content(config.data.image_encoder, "image_encoder"),
                "layout": self._layout,
                "bf16": False,
                **self._pairs.described,
            }
        ]
        self.where = where
        first = self.finish(self.read([0]))
        self.shapes: list[dict[str, tuple[int, ...]]] = [
            {name: tuple(value.shape[1:]) for name, value in vars(first).items() if isinstance(value, Tensor)}
        ]

    def __len__(self) -> int:
        return len(self._pairs) if self._limit is None else min(self._limit, len(self._pairs))

    def to(self, device: torch.device) -> None:
        """Set the device to encode on."""
        nn.Module.to(self._vae, device, memory_format=torch.channels_last)
        nn.Module.to(self._encoder, device)

    def read(self, indices: Iterable[int]) -> tuple[dict[str, Tensor], list[str]]:
        """Read the images and categories of some pairs from disk."""
        chosen = list(indices)
        return self._pairs.pictures(chosen), [self._pairs.categories[index] for index in chosen]

    def finish(self, read: tuple[dict[str, Tensor], list[str]]) -> Batch:
        """Encode the images, rounded to half precision like prepared pairs."""
        pictures, categories = read
        downscale = self._model.vae.downscale
        tensors = encode_images(pictures, self._vae, downscale, self._encoder, self._layout, bf16=False)
        maps = pictures.get("correspondence")
        return Batch(
            **{name: value.float() for name, value in tensors.items()},
            categories=categories,
            correspondence=None if maps is None else maps.float()[:, None],
        )

    def kinds(self) -> set[str]:
        """Categories of the pairs."""
        return set(self._pairs.categories[: len(self)])

    def content(self) -> str:
        """Hash of the settings, names and garments; the images themselves are not read.

        It excludes the parts' configs, which are compared separately when a run is resumed, so it is the same as in
        earlier versions.
        """
        settings = [{name: value for name, value in one.items() if name not in CONFIGS} for one in self.settings]
        described = [settings, list(self._pairs.names[: len(self)]), self.garments()]
        return hashlib.blake2b(json.dumps(described, sort_keys=True).encode(), digest_size=16).hexdigest()

    def seeds(self) -> list[int]:
        """The number of each pair: the seed of a drawn pair, or a hash of its name."""
        return [name_number(name) for name in self._pairs.names[: len(self)]]

    def garments(self) -> list[str | None]:
        """Name of each pair's garment; None if no other pair shows it."""
        return list(self._pairs.garments[: len(self)])
