"""Losses in addition to Eq. 1, off by default: LPIPS and DINOv2 between the decoded prediction and the ground truth."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import Tensor, nn
from torch.nn import functional as F

from igr_core.errors import IGRError

from ...base.parts import check_finite, load_vae
from ...base.train_config import ExtraLossConfig, TrainConfig
from ...prepared.latents import Batch
from .objective import Rows

_DINO_MEAN, _DINO_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_DINO_SIDE = 224


class ExtraLosses:
    """The extra losses of a step, computed with frozen networks."""

    def __init__(
        self,
        config: ExtraLossConfig,
        scheduler: DDIMScheduler,
        vae: AutoencoderKL,
        lpips: nn.Module | None,
        dino: nn.Module | None,
    ) -> None:
        self.config, self.scheduler, self.vae, self.lpips, self.dino = config, scheduler, vae, lpips, dino

    @classmethod
    def of(cls, config: TrainConfig, scheduler: DDIMScheduler, device: torch.device) -> ExtraLosses | None:
        """The extra losses of a run, or None if all are off; raises IGRError if a network cannot be loaded."""
        extra = config.extra_losses
        if extra.lpips == 0 and extra.dino == 0:
            return None
        vae, _ = load_vae(config.data.vae)
        lpips = load_lpips(extra.lpips_weights) if extra.lpips > 0 else None
        dino = load_dino(extra.dino_model or "") if extra.dino > 0 else None
        for module in (vae, lpips, dino):
            if module is not None:
                nn.Module.to(module, device)
        return cls(extra, scheduler, vae, lpips, dino)

    def __call__(self, predicted: Tensor, rows: Rows, batch: Batch) -> Tensor:
        """Contribution of these rows to the weighted mean over the step's selected rows; 0 if no row is selected."""
        chosen, count = self.chosen(rows)
        if not len(chosen):
            return predicted.new_zeros((), dtype=torch.float32)
        draws = len(rows.prompts) // len(batch.categories)
        clean = batch.garment_latent[chosen // draws]
        found = predicted_clean(self.scheduler, predicted.float()[chosen], rows.noisy[chosen], rows.timestep[chosen])
        with torch.no_grad():
            truth = self._decode(clean)
        picture = self._decode(found)
        loss = predicted.new_zeros((), dtype=torch.float32)
        if self.lpips is not None:
            loss = loss + self.config.lpips * self.lpips(picture, truth).sum() / count
        if self.dino is not None:
            alike = F.cosine_similarity(self._tokens(picture), self._tokens(truth), -1)  # (B, N)
            loss = loss + self.config.dino * (1 - alike).mean(1).sum() / count
        return loss

    def chosen(self, rows: Rows) -> tuple[Tensor, int]:
        """Return the indices of the rows to decode (the least noisy below the limit) and their number in the whole
        step."""
        every = rows.timestep if rows.step_timestep is None else rows.step_timestep
        limit = self.config.below * self.scheduler.config.num_train_timesteps  # type: ignore[attr-defined]
        order = every.argsort(stable=True)
        best = order[every[order] < limit][: self.config.rows]
        own = best - rows.first
        return own[(own >= 0) & (own < len(rows.timestep))], len(best)

    def _decode(self, latent: Tensor) -> Tensor:
        """Decode scaled latents (B, 4, h, w) to images (B, 3, H, W) in -1..1, with gradients."""
        return self.vae.decode(latent / self.vae.config.scaling_factor).sample.clamp(-1, 1)  # type: ignore[union-attr]

    def _tokens(self, picture: Tensor) -> Tensor:
        """DINOv2's patch tokens (B, N, C) of images in -1..1."""
        small = F.interpolate(picture / 2 + 0.5, (_DINO_SIDE, _DINO_SIDE), mode="bicubic", antialias=True)
        mean, std = (small.new_tensor(values).view(1, 3, 1, 1) for values in (_DINO_MEAN, _DINO_STD))
        return self.dino((small - mean) / std).last_hidden_state[:, 1:]  # type: ignore[misc]


def predicted_clean(scheduler: DDIMScheduler, predicted: Tensor, noisy: Tensor, timestep: Tensor) -> Tensor:
    """x0 (B, 4, h, w) from a noise or velocity prediction."""
    alpha = scheduler.alphas_cumprod.to(noisy.device)[timestep].view(-1, 1, 1, 1)
    if scheduler.config.prediction_type == "v_prediction":  # type: ignore[attr-defined]
        return alpha.sqrt() * noisy - (1 - alpha).sqrt() * predicted
    return (noisy - (1 - alpha).sqrt() * predicted) / alpha.sqrt()


def load_lpips(weights: str | None) -> nn.Module:
    """LPIPS with VGG-16, frozen; raises IGRError if the package or VGG's weights are missing."""
    try:
        import lpips
    except (ImportError, RuntimeError) as error:  # a torchvision built for a different torch raises RuntimeError
        raise IGRError(
            f"extra_losses.lpips needs the packages lpips and torchvision ({str(error).splitlines()[0]}): install "
            "lpips, and the torchvision that matches your torch."
        ) from error
    path = Path(weights) if weights else Path(torch.hub.get_dir()) / "checkpoints" / "vgg16-397923af.pth"
    if not path.is_file():
        raise IGRError(
            f"extra_losses.lpips needs torchvision's VGG-16 weights, but {path} does not exist: download "
            "vgg16-397923af.pth and set extra_losses.lpips_weights to it."
        )
    with warnings.catch_warnings():  # the package calls torchvision in a deprecated way
        warnings.simplefilter("ignore")
        module = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    slices = {name.rsplit(".", 2)[1]: name for name in module.net.state_dict() if name.endswith(".weight")}
    wanted = {
        name.replace("weight", kind): tensors[f"features.{number}.{kind}"]
        for number, name in slices.items()
        for kind in ("weight", "bias")
        if f"features.{number}.{kind}" in tensors
    }
    if len(wanted) != len(module.net.state_dict()):
        raise IGRError(f"{path} is not torchvision's VGG-16: use vgg16-397923af.pth.")
    check_finite(wanted, path, "use vgg16-397923af.pth")
    module.net.load_state_dict(wanted)
    return module.eval().requires_grad_(False)


def load_dino(folder: str) -> nn.Module:
    """Load a frozen DINOv2 model; raises IGRError if the folder does not contain a DINOv2 model."""
    from transformers import Dinov2Model

    try:
        module = Dinov2Model.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise IGRError(
            f"extra_losses.dino_model {folder} does not contain a DINOv2 model in transformers' layout "
            f"({str(error).splitlines()[0]}): set it to the folder of a model such as dinov2-base."
        ) from error
    check_finite(module.state_dict(), folder, "copy the model again")
    return module.eval().requires_grad_(False)
