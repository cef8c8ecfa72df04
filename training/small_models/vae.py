"""Train the small latent autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn
from tqdm import tqdm

from igr_core.device import choose_device
from igr_core.errors import IGRError
from igr_core.model.config import Side, VAEConfig, to_json
from igr_core.model.networks import build_vae
from igr_core.photo.images import save_image
from igr_core.ranges import Count, CountOrNone, Share, Weight
from igr_core.text import counted

from ..base.hardware import autocast
from ..base.outputs import check_parts_kept
from ..base.parts import load_vae, parameter_count
from ..base.run.randomness import seed_everything, step_generator
from ..base.run.run_folder import RunFolder
from ..base.statistics import spread
from ..base.train_config import Decay, Rate
from ..data.caches.drawn import DrawnPairs
from ..prepared.fits import check_pairs_apart, check_seeds
from .part_training import PartTraining, log_scores, save_part, train_part


@dataclass(frozen=True)
class VAETraining(PartTraining):
    """Settings for training the autoencoder."""

    run: str = "runs/vae"
    """Run folder: checkpoints, logs, images, and finally vae.safetensors and vae.json."""
    steps: Count = 2500
    """Optimiser steps."""
    learning_rate: Rate = 0.002
    """Peak learning rate, reached after the warm-up."""
    weight_decay: Weight = 0.001
    """Decoupled weight decay."""
    ema_decay: Decay = 0.995
    """Decay of the weights' moving average, which is measured and exported."""
    vae: VAEConfig = field(default_factory=lambda: VAEConfig(block_out_channels=(32, 64, 128, 128), layers_per_block=1))
    """Shape of the autoencoder; its scaling_factor is measured on flat garments at the end."""
    init: str | None = None
    """A finished vae.safetensors to start from; None for random weights. Weights with the same name and shape are
    copied, so changing the number of latent channels only affects the layers next to the latent."""
    decoder_of: str | None = None
    """A finished vae.safetensors, of which only the decoder is trained, so that its latents, and models trained on
    them, remain valid."""
    crop: Side = 128
    """Side of the square crops in pixels, a multiple of the downscale factor."""
    whole_share: Share = 0.2
    """Fraction of the steps, at the end, that use whole images, with the same number of pixels per step."""
    garment_share: Share = 0.6
    """Fraction of the images that show flat garments; the rest are views of people."""
    l1_weight: Weight = 1.0
    """Weight of the mean absolute error (images in -1..1)."""
    mse_weight: Weight = 4.0
    """Weight of the mean squared error."""
    edge_weight: Weight = 1.0
    """Weight of the absolute error of differences between neighbouring pixels, for sharp edges and letters."""
    colour_weight: Weight = 0.0
    """Weight of the squared error of 8-pixel averages; without this term, small networks sacrifice a colour axis for
    sharper edges."""
    colour_from: CountOrNone = 0
    """First step with the colour term."""
    kl_weight: Weight = 1e-5
    """Weight of the KL divergence per latent value."""
    latent_noise: Share = 0.1
    """Maximum noise added to the latent for robust decoding, in standard deviations of the latent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % self.vae.downscale:
            raise IGRError(f"crop is {self.crop}: use a multiple of {self.vae.downscale}, the VAE's downscale factor.")


def sample_batch(pairs: DrawnPairs, config: VAETraining, step: int) -> Tensor:
    """Images for a step, (B, 3, h, w) in -1..1; they depend only on config.seed and the step."""
    generator = step_generator(config.seed, step)
    whole = step >= config.steps * (1 - config.whole_share)
    count = config.batch
    if whole:
        height, width = pairs.take("garment", [0]).shape[-2:]
        count = max(1, round(config.batch * config.crop**2 / (height * width)))
    rows = torch.randint(len(pairs), (count,), generator=generator).tolist()
    flat = torch.rand(count, generator=generator) < config.garment_share
    pictures = []
    for row, garment in zip(rows, flat.tolist(), strict=True):
        picture = pairs.take("garment" if garment else "person", [row])[0]
        if not whole:
            focus = pairs.take("silhouette" if garment else "mask", [row])[0, 0]
            picture = _crop(picture, focus, config.crop, generator)
        pictures.append(picture)
    batch = torch.stack(pictures).float() / 127.5 - 1
    return batch.flip(-1) if torch.rand((), generator=generator) < 0.5 else batch


def vae_loss(vae: AutoencoderKL, pictures: Tensor, config: VAETraining, step: int = 0) -> dict[str, Tensor]:
    """Loss terms for images (B, 3, h, w) in -1..1; `total` is minimised."""
    with autocast(config.precision, pictures.device):
        posterior = vae.encode(pictures).latent_dist
        latent = posterior.sample().float()  # (B, 4, h / 8, w / 8)
        strength = config.latent_noise * torch.rand(len(latent), 1, 1, 1, device=latent.device)
        latent = latent + strength * latent.detach().std() * torch.randn_like(latent)
        decoded = vae.decode(latent).sample.float()
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    error = decoded - pictures
    terms = {
        "l1": error.abs().mean(),
        "mse": error.square().mean(),
        "edge": error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean(),
        "colour": F.avg_pool2d(error, 8).square().mean(),
        "kl": 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean(),
    }
    weights = {
        "l1": config.l1_weight,
        "mse": config.mse_weight,
        "edge": config.edge_weight,
        "colour": config.colour_weight if step >= config.colour_from else 0.0,
        "kl": config.kl_weight,
    }
    terms["total"] = sum((weights[name] * term for name, term in terms.items()), torch.zeros(()))
    return terms


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, pictures: Tensor, config: VAETraining) -> tuple[Tensor, Tensor]:
    """Encode and decode uint8 images: decoded images (B, 3, h, w) in 0..1, and latents (B, 4, h / 8, w / 8)."""
    decoded, latents = [], []
    device = next(vae.parameters()).device
    for some in pictures.split(8):
        with autocast(config.precision, device):
            latent = vae.encode(some.to(device).float() / 127.5 - 1).latent_dist.mode()
            picture = vae.decode(latent).sample
        decoded.append((picture.float() / 2 + 0.5).clamp(0, 1).cpu())
        latents.append(latent.float().cpu())
    return torch.cat(decoded), torch.cat(latents)


@torch.no_grad()
def standardise_latent(vae: AutoencoderKL, pictures: Tensor, config: VAETraining) -> None:
    """Fold each latent channel's mean and spread, over uint8 images, into the 1x1 convolutions on both sides of it.

    Decoded images do not change; latents then have mean 0 and standard deviation 1 in every channel.
    """
    _, latents = reconstruct(vae, pictures, config)
    into, out = vae.quant_conv, vae.post_quant_conv
    mean, std = (x.to(into.weight.device) for x in (latents.mean((0, 2, 3)), latents.std((0, 2, 3))))  # (4,)
    count = len(mean)
    into.weight[:count] /= std.view(-1, 1, 1, 1)
    into.bias[:count] = (into.bias[:count] - mean) / std
    into.bias[count:] -= 2 * std.log()  # the posterior's log-variance
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight *= std.view(1, -1, 1, 1)


def measure(vae: AutoencoderKL, pairs: DrawnPairs, config: VAETraining, picture: Path | None) -> dict[str, float]:
    """PSNR in dB on held-out pairs (mean over images) and the latent's spread; writes an image grid to `picture`."""
    rows = spread(len(pairs), config.validation_pairs)
    garments, persons = pairs.take("garment", rows), pairs.take("person", rows)
    silhouettes = pairs.take("silhouette", rows) > 127  # (B, 1, h, w)
    masks = pairs.take("mask", rows) > 127
    flat, flat_latents = reconstruct(vae, garments, config)
    worn, worn_latents = reconstruct(vae, persons, config)
    if picture is not None:
        _save_grid(picture, garments, flat, persons, worn)
    return {
        "psnr_garment": float(psnr(garments, flat, silhouettes).mean()),
        "psnr_garment_box": float(psnr(garments, flat, _boxes(silhouettes)).mean()),
        "psnr_garment_picture": float(psnr(garments, flat, torch.ones_like(silhouettes)).mean()),
        "psnr_person_mask": float(psnr(persons, worn, masks).mean()),
        "psnr_person_picture": float(psnr(persons, worn, torch.ones_like(masks)).mean()),
        "latent_mean": float(flat_latents.mean()),
        "latent_std_garment": float(flat_latents.std()),
        "latent_std_person": float(worn_latents.std()),
        "latent_std": float(torch.cat([flat_latents, worn_latents]).std()),
    }


def initial_vae(config: VAETraining) -> AutoencoderKL:
    """A VAE with random weights, replaced by those of `init` where they fit, or `decoder_of` with a frozen encoder.

    Raises IGRError if no weight of `init` fits, or if `decoder_of` has a different shape.
    """
    if config.decoder_of is None:
        vae = build_vae(config.vae)
        if config.init is not None:
            take_over(vae, config.init)
        return vae
    vae, shape = load_vae(config.decoder_of)
    if replace(shape, scaling_factor=config.vae.scaling_factor) != config.vae:
        raise IGRError(f"{config.decoder_of} does not have the shape of this config's vae: use another file.")
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(True)
    return vae


def take_over(vae: AutoencoderKL, path: str) -> None:
    """Copy a finished VAE's weights that have the same names and shapes; raises IGRError if there are none."""
    found, _ = load_vae(path)
    own, given = vae.state_dict(), found.state_dict()
    fitting = {name: weight for name, weight in given.items() if name in own and own[name].shape == weight.shape}
    if not fitting:
        raise IGRError(f"init: no weight of {path} fits a VAE of this shape: omit init, or use another file.")
    vae.load_state_dict(fitting, strict=False)
    tqdm.write(f"{len(fitting)} of {len(own)} tensors were copied from {path}.")


def train(config: VAETraining, device: str = "cpu") -> dict[str, float]:
    """Train or resume a run; returns the final held-out measurements."""
    check_parts_kept(Path(config.run) / "vae.safetensors", "--run", [config.init, config.decoder_of])
    place = choose_device(device)
    pairs, held_out = DrawnPairs(config.data), DrawnPairs(config.held_out)
    check_seeds(pairs.seeds, f"draw pairs other than those in {config.data}")
    check_pairs_apart(pairs.names, held_out.names, config.held_out)
    run = RunFolder(config.run)
    seed_everything(config.seed)
    vae = initial_vae(config)
    nn.Module.to(vae, place, memory_format=torch.channels_last)  # three times as fast on CPUs
    millions = parameter_count(vae.parameters()) / 1e6
    tqdm.write(f"{config.run}: {millions:.2f} M parameters, {counted(len(pairs), 'pair')}.")

    def loss(step: int) -> dict[str, Tensor]:
        return vae_loss(vae, sample_batch(pairs, config, step).to(place), config, step)

    def scores_of(step: int) -> dict[str, float]:
        return measure(vae, held_out, config, run.path / f"grid-{step:06d}.png")

    train_part(config, run, "vae", vae, loss, scores_of)
    if config.decoder_of is None:
        rows = spread(len(pairs), config.validation_pairs)
        standardise_latent(vae, pairs.take("garment", rows), config)
    scores = scores_of(config.steps)
    log_scores(run, config.steps, scores)
    save_vae(vae, config, scores, len(pairs))
    run.close()
    return scores


def save_vae(vae: AutoencoderKL, config: VAETraining, scores: dict[str, float], pairs: int) -> None:
    """Write RUN/vae.safetensors and RUN/vae.json: the config with the measured scaling factor, and the scores."""
    shape = replace(config.vae, scaling_factor=round(1 / scores["latent_std_garment"], 5))
    if config.decoder_of is not None:
        _, shape = load_vae(config.decoder_of)
    summary = {"vae": to_json(shape), "scores": scores, "training": to_json(config), "pairs": pairs}
    save_part(Path(config.run) / "vae.safetensors", vae, summary)


def by_kind(vae: AutoencoderKL, pairs: DrawnPairs, count: int, config: VAETraining) -> dict[str, list[float]]:
    """PSNR in dB on garment pixels of `count` drawn and `count` rendered pairs, by `rendered, flat` and so on."""
    found: dict[str, list[float]] = {}
    for kind in ("drawn", "rendered"):
        rows = [row for row, name in enumerate(pairs.names) if name.startswith("seed-") == (kind == "drawn")]
        rows = [rows[place] for place in spread(len(rows), count)]
        for what, image, focus in (("flat", "garment", "silhouette"), ("worn", "person", "mask")):
            if rows:
                truth = pairs.take(image, rows)
                decoded, _ = reconstruct(vae, truth, config)
                found[f"{kind}, {what}"] = psnr(truth, decoded, pairs.take(focus, rows) > 127).tolist()
    return found


def _crop(picture: Tensor, focus: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A square crop of an image (3, h, w) around a random pixel of the garment."""
    height, width = focus.shape
    inside = focus.flatten().nonzero()[:, 0]
    pick = int(torch.randint(max(1, len(inside)), (), generator=generator))
    centre = int(inside[pick]) if len(inside) else height * width // 2 + width // 2
    top = min(max(centre // width - side // 2, 0), max(0, height - side))
    left = min(max(centre % width - side // 2, 0), max(0, width - side))
    return picture[:, top : top + side, left : left + side]


def _boxes(masks: Tensor) -> Tensor:
    """The bounding box of each (B, 1, h, w) mask, as a mask."""
    return _between(masks.any(-1, keepdim=True).int(), 2) & _between(masks.any(-2, keepdim=True).int(), 3)


def _between(marks: Tensor, dim: int) -> Tensor:
    """Mark everything between the first and the last mark along an axis."""
    return (marks.cummax(dim).values & marks.flip(dim).cummax(dim).values.flip(dim)).bool()


def psnr(truth: Tensor, decoded: Tensor, where: Tensor) -> Tensor:
    """PSNR in dB, (B,), of decoded images in 0..1 compared with the uint8 truth, inside a mask (B, 1, h, w)."""
    error = (truth.float() / 255 - decoded).square().mean(1, keepdim=True)
    mse = (error * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp(min=1)
    return -10 * mse.clamp(min=1e-8).log10()


def _save_grid(path: Path, garments: Tensor, flat: Tensor, persons: Tensor, worn: Tensor, columns: int = 10) -> None:
    rows = [garments[:columns].float() / 255, flat[:columns], persons[:columns].float() / 255, worn[:columns]]
    save_image(path, torch.cat([torch.cat(list(row), 2) for row in rows], 1))  # (3, 4 h, columns w)
