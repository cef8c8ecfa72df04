"""Encode every pair once with the frozen networks."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from tqdm import tqdm
from transformers import CLIPVisionModelWithProjection

from igr_core.device import choose_device
from igr_core.errors import IGRError
from igr_core.files import make_folder, write_tensors
from igr_core.model.config import CATEGORIES
from igr_core.processes import launched_processes
from igr_core.text import counted

from ..base.parts import CONFIGS, describe_content, load_image_encoder, load_vae
from ..data.contract.correspondence import pixels_to_cells
from ..data.contract.laid_out import LaidOut, name_number
from .encoding import PromptLayout, encode_images
from .shards import Shard


def prepare_pairs(
    pairs: LaidOut,
    indices: range,
    vae: AutoencoderKL,
    downscale: int,
    encoder: CLIPVisionModelWithProjection,
    layout: PromptLayout,
    batch: int = 8,
    bf16: bool = False,
) -> dict[str, Tensor]:
    """Latents, masks at latent size and image features of some pairs, in half precision.

    Runs on the device that `vae` and `encoder` are on.
    """
    starts = range(indices.start, indices.stop, batch)
    pieces = []
    for start in starts:
        pictures = pairs.pictures(range(start, min(start + batch, indices.stop)))
        encoded = encode_images(pictures, vae, downscale, encoder, layout, bf16)
        pieces.append(encoded | _correspondence(pictures, encoded["garment_latent"]))
    if any("correspondence" in piece for piece in pieces):  # some pairs may have none
        pieces = [piece if "correspondence" in piece else piece | _hidden(piece["garment_latent"]) for piece in pieces]
    tensors = {name: torch.cat([piece[name] for piece in pieces]).contiguous() for name in pieces[0]}
    tensors["category"] = torch.tensor([CATEGORIES.index(pairs.categories[i]) for i in indices], dtype=torch.uint8)
    tensors["seed"] = torch.tensor([name_number(pairs.names[i]) for i in indices])
    return tensors


def _correspondence(pictures: dict[str, Tensor], latent: Tensor) -> dict[str, Tensor]:
    """The correspondence between each pair's garment and photo, at latent size."""
    if "correspondence" not in pictures:
        return {}
    maps = pictures["correspondence"]
    if maps.shape[2:] == latent.shape[2:]:  # already at latent size
        return {"correspondence": maps.half()}
    return {"correspondence": pixels_to_cells(maps, (latent.shape[2], latent.shape[3])).half()}


def _hidden(latent: Tensor) -> dict[str, Tensor]:
    return {"correspondence": torch.full((len(latent), 2, *latent.shape[2:]), torch.nan, dtype=torch.float16)}


def prepare_folder(
    pairs: LaidOut, out: Path, vae: Path, image_encoder: Path, layout: PromptLayout, shard: int, bf16: bool, device: str
) -> int:
    """Encode all pairs into shards; complete shards with the same settings are kept. Returns the number of new pairs.

    Under torchrun, each process prepares a part of the shards. The last shard is replaced if it can now have more
    pairs, for example because an earlier limit cut it short. Before anything is computed, raises IGRError
    for shards with different settings, pairs or size, and if there is not enough disk space.
    """
    settings = {
        **describe_content(vae, "vae"),
        **describe_content(image_encoder, "image_encoder"),
        "layout": layout,
        "bf16": bf16,
        **pairs.described,
    }
    launched = launched_processes()
    rank, processes = launched.rank, launched.count
    ranges = [range(start, min(start + shard, len(pairs))) for start in range(0, len(pairs), shard)][rank::processes]
    make_folder(out)
    if _is_without_configs(out):  # keep the folder's format, because all shards of a folder must have the same settings
        settings = {name: value for name, value in settings.items() if name not in CONFIGS}
    existing = {indices: _existing(out, indices, pairs, settings) for indices in ranges}
    todo = [indices for indices in ranges if existing[indices] is None or _span(existing[indices])[1] < len(indices)]
    if not todo:
        return 0
    autoencoder, shape = load_vae(vae)
    encoder, _ = load_image_encoder(image_encoder)
    place = choose_device(device)
    nn.Module.to(autoencoder, place, memory_format=torch.channels_last)  # three times as fast on CPUs
    nn.Module.to(encoder, place)
    count = sum(len(indices) for indices in todo)
    one = prepare_pairs(pairs, range(todo[0].start, todo[0].start + 1), autoencoder, shape.downscale, encoder, layout)
    check_room(out, count * processes * sum(value.nbytes for value in one.values()), count * processes)
    with tqdm(total=count, desc=f"preparing {out}", unit="pair", disable=rank > 0) as bar:
        for indices in todo:
            tensors = prepare_pairs(pairs, indices, autoencoder, shape.downscale, encoder, layout, bf16=bf16)
            old = existing[indices]
            names = json.dumps([pairs.names[i] for i in indices])
            garments = json.dumps([pairs.garments[i] for i in indices])
            path = out / f"latents-{indices.start:09d}-{len(indices)}.safetensors"
            metadata = {"settings": json.dumps(settings, sort_keys=True), "names": names, "garments": garments}
            write_tensors(path, tensors, metadata)
            if old is not None:
                old.unlink()
            bar.update(len(indices))
    return count


def pairs_beyond(out: Path, count: int) -> int:
    """Number of pairs after the first `count` in a folder of shards, prepared by an earlier run with more pairs."""
    ends = [sum(_span(path)) for path in out.glob("latents-*.safetensors")]
    return max(0, max(ends, default=0) - count)


def check_room(out: Path, size: int, pairs: int) -> None:
    """Report the disk space that the pairs will take; raises IGRError if there is not enough."""
    free = shutil.disk_usage(out).free
    takes = "takes" if pairs == 1 else "take"
    words = f"{counted(pairs, 'pair')} {takes} about {size / 1e9:.2f} GB in {out}, where {free / 1e9:.1f} GB is free"
    if size > free:
        raise IGRError(f"{words}: free some space, choose another --out, or prepare fewer pairs with --limit.")
    tqdm.write(f"{words}.", file=sys.stderr)


def _existing(out: Path, indices: range, pairs: LaidOut, settings: dict[str, Any]) -> Path | None:
    """Check and return the existing shard that starts at `indices`; None if it does not exist yet."""
    starts = {path: _span(path) for path in out.glob("latents-*.safetensors")}
    touching = [p for p, (start, count) in starts.items() if start < indices.stop and indices.start < start + count]
    if not touching:
        return None
    if any(starts[path][0] != indices.start for path in touching):
        name = touching[0].name
        raise IGRError(f"{out} has {name}, written with a different --shard: use the same value, or a new folder.")
    *outgrown, path = sorted(touching, key=lambda one: starts[one][1])
    for one in outgrown:  # these remain if a process was killed before removing them
        one.unlink()
    shard = Shard(path)
    different = [name for name, value in settings.items() if shard.settings.get(name) != value]
    seeds = shard.seeds
    wanted = [name_number(pairs.names[i]) for i in range(indices.start, min(indices.start + len(seeds), len(pairs)))]
    if seeds[: len(wanted)] != wanted:
        different.append("pairs")
    if different:
        raise IGRError(
            f"{path} was prepared with different settings ({', '.join(different)}): use a new folder, "
            "or delete the shards in this one first."
        )
    return path


def _is_without_configs(out: Path) -> bool:
    """Whether a folder has shards of an earlier version, which did not record the parts' configs."""
    first = next(iter(sorted(out.glob("latents-*.safetensors"))), None)
    return first is not None and not any(name in Shard(first).settings for name in CONFIGS)


def _span(path: Path | None) -> tuple[int, int]:
    """Start and number of pairs of a shard, from its name."""
    match = re.fullmatch(r"latents-(\d+)-(\d+)\.safetensors", path.name if path is not None else "")
    if match is None:
        raise IGRError(f"{path} was not written by python -m training prepare: move it out of the folder.")
    return int(match[1]), int(match[2])
