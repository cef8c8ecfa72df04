"""Compute once what the frozen networks say of every pair: `python -m training prepare`."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from diffusers import AutoencoderKL
from torch import Tensor, nn
from tqdm import tqdm
from transformers import CLIPVisionModelWithProjection

from igr_core.errors import IGRError
from igr_core.files import make_folder, sha256, write_tensors
from igr_core.model.config import CATEGORIES, from_json

from ..base.command import choose_device, one_sentence
from ..base.train_config import TrainConfig
from ..data.contract.correspondence import pixels_to_cells
from ..data.caches.drawn import DrawnPairs
from ..data.contract.laid_out import LaidOut, name_number
from .latents import read_shard
from .selection import PairsConfig, layout_of, open_pairs
from .encoding import Layout, encode_pictures
from .fits import check_drawn, check_settings, model_config
from ..base.parts import load_image_encoder, load_vae
from ..base.run_folder import load_config


def prepare_pairs(
    pairs: LaidOut,
    indices: range,
    vae: AutoencoderKL,
    downscale: int,
    encoder: CLIPVisionModelWithProjection,
    layout: Layout,
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
        encoded = encode_pictures(pictures, vae, downscale, encoder, layout, bf16)
        pieces.append(encoded | _correspondence(pictures, encoded["garment_latent"]))
    if any("correspondence" in piece for piece in pieces):  # of some pairs it may not be known
        pieces = [piece if "correspondence" in piece else piece | _hidden(piece["garment_latent"]) for piece in pieces]
    tensors = {name: torch.cat([piece[name] for piece in pieces]).contiguous() for name in pieces[0]}
    tensors["category"] = torch.tensor([CATEGORIES.index(pairs.categories[i]) for i in indices], dtype=torch.uint8)
    tensors["seed"] = torch.tensor([name_number(pairs.names[i]) for i in indices])
    return tensors


def _correspondence(pictures: dict[str, Tensor], latent: Tensor) -> dict[str, Tensor]:
    """The correspondence of pairs that tell it, at latent size."""
    if "correspondence" not in pictures:
        return {}
    told = pictures["correspondence"]
    if told.shape[2:] == latent.shape[2:]:  # laid out by cells already
        return {"correspondence": told.half()}
    return {"correspondence": pixels_to_cells(told, (latent.shape[2], latent.shape[3])).half()}


def _hidden(latent: Tensor) -> dict[str, Tensor]:
    return {"correspondence": torch.full((len(latent), 2, *latent.shape[2:]), torch.nan, dtype=torch.float16)}


def prepare_folder(
    pairs: LaidOut, out: Path, vae: Path, image_encoder: Path, layout: Layout, shard: int, bf16: bool, device: str
) -> int:
    """Prepare all pairs into shards; whole shards of the same settings are kept. Returns the pairs prepared now.

    Started by torchrun, each process prepares its share of the shards. A last shard that has grown since, or that an
    earlier limit cut short, is made again in place of the old one. Raises IGRError, before anything is computed, for
    shards of other settings, other pairs or another shard size, and where the disk has no room for what is missing.
    """
    settings = {
        "vae": sha256(vae),
        "image_encoder": sha256(image_encoder),
        "layout": layout,
        "bf16": bf16,
        **pairs.described,
    }
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    ranges = [range(start, min(start + shard, len(pairs))) for start in range(0, len(pairs), shard)][rank::processes]
    make_folder(out)
    existing = {indices: _existing(out, indices, pairs, settings) for indices in ranges}
    todo = [indices for indices in ranges if existing[indices] is None or _span(existing[indices])[1] < len(indices)]
    if not todo:
        return 0
    autoencoder, shape = load_vae(vae)
    encoder, _ = load_image_encoder(image_encoder)
    place = choose_device(device)
    nn.Module.to(autoencoder, place, memory_format=torch.channels_last)  # thrice as fast on CPUs
    nn.Module.to(encoder, place)
    count = sum(len(indices) for indices in todo)
    one = prepare_pairs(pairs, range(todo[0].start, todo[0].start + 1), autoencoder, shape.downscale, encoder, layout)
    check_room(out, count * processes * sum(value.nbytes for value in one.values()), count * processes)
    with tqdm(total=count, desc=f"preparing into {out}", unit="pair", disable=rank > 0) as bar:
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


def check_room(out: Path, size: int, pairs: int) -> None:
    """Say how much disk the pairs will take; IGRError where it is not there."""
    free = shutil.disk_usage(out).free
    words = f"{pairs:,} pairs take about {size / 1e9:.2f} GB in {out}, where {free / 1e9:.1f} GB are free"
    if size > free:
        raise IGRError(f"{words}: make room, choose another --out, or prepare fewer with --limit.")
    typer.echo(f"{words}.", err=True)


def _existing(out: Path, indices: range, pairs: LaidOut, settings: dict[str, Any]) -> Path | None:
    """The shard that starts where `indices` do, checked; None where there is none yet."""
    starts = {path: _span(path) for path in out.glob("latents-*.safetensors")}
    touching = [p for p, (start, count) in starts.items() if start < indices.stop and indices.start < start + count]
    if not touching:
        return None
    if any(starts[path][0] != indices.start for path in touching):
        name = touching[0].name
        raise IGRError(f"{out} holds {name}, of another --shard: use that one, or prepare into a new folder.")
    *outgrown, path = sorted(touching, key=lambda one: starts[one][1])
    for one in outgrown:  # left by a kill between writing the grown shard and removing this one
        one.unlink()
    tensors, found = read_shard(path)
    different = [name for name, value in settings.items() if found.get(name) != value]
    seeds = tensors["seed"].tolist()
    wanted = [name_number(pairs.names[i]) for i in range(indices.start, min(indices.start + len(seeds), len(pairs)))]
    if seeds[: len(wanted)] != wanted:
        different.append("pairs")
    if different:
        raise IGRError(
            f"{path} was prepared with other settings ({', '.join(different)}): prepare into a new folder, "
            "or delete this one first."
        )
    return path


def _span(path: Path | None) -> tuple[int, int]:
    """Where a shard starts and how many pairs its name says."""
    match = re.fullmatch(r"latents-(\d+)-(\d+)\.safetensors", path.name if path is not None else "")
    if match is None:
        raise IGRError(f"{path} is no name that python -m training prepare gives: move it out of the folder.")
    return int(match[1]), int(match[2])


def _choices(
    config: TrainConfig | None, vae: Path | None, image_encoder: Path | None, layout: str | None
) -> tuple[Path, Path, str]:
    """VAE, image encoder and layout: what is given, else what the config says."""
    if config is not None:
        vae = vae or Path(config.data.vae)
        image_encoder = image_encoder or Path(config.data.image_encoder)
        prompt = model_config(config).image_prompt
        layout = layout or (prompt.layout if prompt is not None else "linear")
    if vae is None or image_encoder is None or layout is None:
        raise IGRError("Name the CONFIG of the training, or all of --vae, --image-encoder and --layout.")
    if layout not in ("linear", "resampler"):
        raise IGRError(f"--layout {layout!r} is neither linear nor resampler.")
    return vae, image_encoder, layout


def _named_pairs(data: str, split: str, mask: str, manifest: Path | None, subset: str, flips: bool) -> PairsConfig:
    """The pairs that the options name: a YAML file of a PairsConfig, or a data set."""
    if Path(data).suffix in (".yaml", ".yml"):
        return load_config(PairsConfig, data)
    named = {
        "data": {"root": data, "split": split, "mask": mask},
        "manifest": None if manifest is None else str(manifest),
        "subset": subset,
        "flips": flips,
    }
    return from_json(PairsConfig, named, "The options")


def _open(
    settings: TrainConfig | None,
    drawn: Path | None,
    pairs: PairsConfig | None,
    limit: int | None,
    workers: int,
) -> LaidOut:
    """Drawn pairs, or those of a data set laid out for the config's model."""
    if drawn is not None:
        found = DrawnPairs(drawn, limit)
        if settings is not None:
            check_drawn(settings, found.config)
        return found
    if pairs is None or settings is None:
        raise IGRError("Name the pairs: --data ROOT with the CONFIG of the training, or --drawn FOLDER.")
    return open_pairs(pairs, layout_of(model_config(settings), pairs), limit, workers)


@one_sentence()
def main(
    out: Annotated[Path, typer.Option(help="Folder for the prepared shards; whole ones of the same settings stay.")],
    config: Annotated[
        Path | None, typer.Argument(help="YAML file of the training: names VAE, image encoder, size and view.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Data set: its folder, shards (a folder, a.tar, s3://...), or a YAML file of a PairsConfig."),
    ] = None,
    drawn: Annotated[Path | None, typer.Option(help="In place of --data: drawn pairs (python -m training data draw).")] = None,
    split: Annotated[str, typer.Option(help="train, or test for validation.")] = "train",
    mask: Annotated[str, typer.Option(help="auto, agnostic, garment or file.")] = "auto",
    manifest: Annotated[Path | None, typer.Option(help="Folder of a curation: leave out what it drops.")] = None,
    subset: Annotated[str, typer.Option(help="Of the manifest: kept, or hqft for the best share.")] = "kept",
    flips: Annotated[bool, typer.Option("--flips", help="Add mirrored pairs where the garment is symmetric.")] = False,
    vae: Annotated[Path | None, typer.Option(help="Trained VAE, .safetensors with its .json beside it.")] = None,
    image_encoder: Annotated[Path | None, typer.Option(help="Trained image encoder, likewise.")] = None,
    layout: Annotated[str | None, typer.Option(help="Image prompt that it is for: linear or resampler.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pairs.")] = None,
    shard: Annotated[int, typer.Option(min=1, help="Pairs in a shard.")] = 500,
    bf16: Annotated[bool, typer.Option("--bf16", help="Encode in bfloat16: faster where the hardware has it.")] = False,
    device: Annotated[str, typer.Option(help="auto (CUDA where there is one), cpu, cuda, cuda:1 …")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Threads that read pictures.")] = 4,
) -> None:
    """Encode pairs with the frozen VAE and image encoder, so that training never runs them again.

    Several processes share the work: torchrun --nproc-per-node 4 -m -- training prepare ...
    """
    settings = load_config(TrainConfig, config) if config is not None else None
    vae, image_encoder, layout = _choices(settings, vae, image_encoder, layout)
    if settings is not None:
        named = {"vae": sha256(vae), "image_encoder": sha256(image_encoder), "layout": layout}
        check_settings(settings, named, "What the options ask for")
    chosen = _named_pairs(data, split, mask, manifest, subset, flips) if data is not None else None
    pairs = _open(settings, drawn, chosen, limit, workers)
    count = prepare_folder(pairs, out, vae, image_encoder, layout, shard, bf16, device)  # type: ignore[arg-type]
    typer.echo(f"{out}: {len(pairs)} pairs, {count} of them prepared now.")


if __name__ == "__main__":
    typer.run(main)
