"""Check before the first step that the prepared data, the frozen networks and the config match."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from igr_core.errors import IGRError
from igr_core.folders import resolved
from igr_core.model.bundle import Bundle
from igr_core.model.config import ModelConfig

from ..base.parts import PartName, describe_content, read_config
from ..base.train_config import ROUND, TrainConfig
from ..data.caches.draw_config import DrawConfig
from ..data.contract.laid_out import FIRST_OF_FILES
from ..data.contract.seeds import HELD_OUT_START
from .latents import PreparedPairs
from .mixture import PairData


def model_config(config: TrainConfig) -> ModelConfig:
    """Config of the networks to train: that of init_bundle, with the config's size and noise, or the config's own.

    A part of the bundle that is null in the config's model is left out (ablations).
    """
    if config.init_bundle is None:
        if config.size is not None or config.noise is not None:
            raise IGRError(
                "size and noise only apply with init_bundle: without one, set model.native_size and model.noise."
            )
        return config.model
    model = Bundle.open(config.init_bundle).info.model
    return dataclasses.replace(
        model,
        native_size=config.size or model.native_size,
        noise=config.noise or model.noise,
        garmnet=None if config.model.garmnet is None else model.garmnet,
        image_prompt=None if config.model.image_prompt is None else model.image_prompt,
    )


def low_resolution_config(config: TrainConfig) -> TrainConfig | None:
    """Config of a run's low-resolution steps; None without such steps."""
    low = config.low_resolution
    if low is None:
        return None
    in_rounds = any(ROUND in name for name in low.train)
    data = dataclasses.replace(
        config.data,
        train=low.train,
        weights=low.weights,
        pairs_per_batch=low.pairs_per_batch,
        round_steps=config.data.round_steps if in_rounds else None,
    )
    changed = dataclasses.replace(config, data=data, steps=low.steps, low_resolution=None)
    if config.init_bundle is not None:
        return dataclasses.replace(changed, size=low.size)
    return dataclasses.replace(changed, model=dataclasses.replace(config.model, native_size=low.size))


def check_fits(config: TrainConfig, pairs: PreparedPairs | PairData, role: str) -> None:
    """Raise IGRError unless the pairs match this config's networks; `role` is `training` or `validation`."""
    for settings in pairs.settings:
        check_settings(config, settings, f"The {role} data")
    model = model_config(config)
    width, height = (side // model.vae.downscale for side in model.native_size)
    wanted = {
        "garment_latent": (model.vae.latent_channels, height, width),
        "person_latent": (model.vae.latent_channels, height, width),
        "mask": (1, height, width),
    }
    for shapes in pairs.shapes:
        _same("latent shape", {name: shapes[name] for name in wanted}, wanted, f"The {role} data")
        if model.image_prompt is not None:
            features, linear = shapes["image_features"], model.image_prompt.layout == "linear"
            if len(features) != (1 if linear else 2) or features[-1] != model.image_prompt.embedding_dim:
                raise IGRError(
                    f"The {role} data has image features of shape {features}, but the model's "
                    f"{model.image_prompt.layout} image prompt expects width {model.image_prompt.embedding_dim}: "
                    "prepare the pairs again with the config's image encoder and layout."
                )
    if role == "training":
        if any(settings.get("data", {}).get("split") == "test" for settings in pairs.settings):
            raise IGRError("data.train has pairs of a test split: prepare and use the training split.")
        drawn = [seed for seed in pairs.seeds() if seed < FIRST_OF_FILES]
        check_seeds(drawn, "remove their folder from data.train")


def check_apart(config: TrainConfig) -> None:
    """Raise IGRError if a folder of held-out pairs, or a prepared pair in it, is also in a folder of data.train.

    Prepared pairs are the same if their latents are, whatever their names. Pairs of rounds and of the low-resolution
    steps are compared by folder only.
    """
    low = config.low_resolution
    trained = [str(resolved(Path(name))) for name in (*config.data.train, *(low.train if low is not None else ()))]
    patterns = [re.escape(name).replace(re.escape(ROUND), r"\d+") for name in trained]
    for name in config.data.held_out.values():
        if any(re.fullmatch(pattern, str(resolved(Path(name)))) for pattern in patterns):
            raise IGRError(
                f"data.validation contains {name}, which is also in data.train: use pairs that are not used for "
                "training."
            )
    held_out = {name: PreparedPairs([name]) for name in config.data.held_out.values() if _is_prepared(name)}
    for folder in filter(_is_prepared, config.data.train if held_out else ()):
        pairs = PreparedPairs([folder])
        for name, others in held_out.items():
            if shared := others.shared_with(pairs):
                own, there = shared
                under = "" if own == there else f", under the name {there}"
                raise IGRError(
                    f"data.validation contains {own} in {name}, which is also in {folder} of data.train{under}: "
                    "prepare pairs that are not used for training."
                )


def _is_prepared(folder: str) -> bool:
    return any(Path(folder).glob("latents-*.safetensors"))


def check_seeds(seeds: Iterable[int], remedy: str) -> None:
    """Raise IGRError with this `remedy` if a training pair has a held-out seed."""
    held_out = [seed for seed in seeds if seed >= HELD_OUT_START]
    if held_out:
        raise IGRError(
            f"The training data has seed {held_out[0]}, but seeds from {HELD_OUT_START} on are held out: {remedy}."
        )


def check_pairs_apart(names: Iterable[str], held_out: Iterable[str], where: str) -> None:
    """Raise IGRError if the held-out pairs in `where` include pairs that are trained on."""
    trained = set(names)
    shared = [name for name in held_out if name in trained]
    if shared:
        raise IGRError(
            f"{where} includes {shared[0]}, which is also used for training: for held_out, specify pairs with seeds "
            f"from {HELD_OUT_START} on."
        )


def check_settings(config: TrainConfig, settings: Mapping[str, Any], what: str) -> None:
    """Raise IGRError unless the `settings` of prepared pairs match this config's VAE, image encoder and layout."""
    model = model_config(config)
    check_parts(config, model)
    _same_part("VAE", settings, "vae", config.data.vae, what)
    if model.image_prompt is not None:
        _same_part("image encoder", settings, "image_encoder", config.data.image_encoder, what)
        _same("image-prompt layout", settings.get("layout"), model.image_prompt.layout, what)


def _same_part(subject: str, settings: Mapping[str, Any], part: PartName, path: str, what: str) -> None:
    """Raise IGRError unless `settings` record this part; earlier versions did not record its config."""
    wanted = describe_content(path, part)
    _same(subject, settings.get(part), wanted[part], what)
    config = f"{part}_config"
    if config in settings and settings[config] != wanted[config]:
        raise IGRError(
            f"{what} has a different {subject} config from {Path(path).with_suffix('.json')}: restore the file that "
            "the pairs were prepared with, or prepare them again."
        )


def check_parts(config: TrainConfig, model: ModelConfig) -> None:
    """Raise IGRError unless the trained VAE and image encoder match the model's config."""
    vae, path = model.vae, config.data.vae
    found = read_config(path, "vae")
    if dataclasses.replace(found, scaling_factor=vae.scaling_factor) != vae:
        raise IGRError(f"{path} does not match model.vae: use the VAE that the config describes.")
    if model.image_prompt is None:
        return
    path = config.data.image_encoder
    if read_config(path, "image_encoder") != model.image_encoder:
        raise IGRError(f"{path} does not match model.image_encoder: use the image encoder that the config describes.")


def check_drawn(config: TrainConfig, drawn: DrawConfig) -> None:
    """Raise IGRError unless pairs were drawn with the size, view and crop of this config's model."""
    model = model_config(config)
    _same("image size", drawn.size, model.native_size, "The drawn data")
    _same("view", drawn.view, model.view, "The drawn data")
    if model.image_prompt is not None:
        _same("crop size", drawn.crop_size, model.image_encoder.image_size, "The drawn data")


def _same(subject: str, found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise IGRError(
            f"{what} has a different {subject} ({_short(found)}) from the config's ({_short(wanted)}): prepare the "
            "pairs again, or use the file they were prepared with."
        )


def _short(value: Any) -> str:
    if value is None:
        return "not recorded"
    return value[:12] if isinstance(value, str) else str(value)
