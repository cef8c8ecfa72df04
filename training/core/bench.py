"""Compare the speed, in rows per second, of different ways to compute a step: `python -m training bench`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch

from igr_core.device import is_fast_in_bfloat16
from igr_core.model.igr import IGR
from igr_core.model.networks import build_scheduler

from ..base.optimisation.optimizers import MuonAdamW, build_optimizer
from ..base.train_config import TrainConfig
from ..prepared.latents import Batch
from .compute.acceleration import Acceleration, accelerate, accelerate_optimizer, choose_acceleration
from .initial import initial_model
from .loss.step import StepLosses


@dataclass(frozen=True)
class Variant:
    """One way to compute a step."""

    name: str
    """Description in the table."""
    acceleration: Acceleration
    """Precision, attention, layout, compilation."""
    draws: int
    """Noise samples per pair."""
    own_muon: bool = True
    """Orthogonalise many matrices at once; False for torch's own Muon."""


def variants(config: TrainConfig, device: torch.device, everything: bool) -> list[Variant]:
    """The variants to compare; the first is the baseline, plain float32. bf16 is skipped where it is too slow."""
    chosen = choose_acceleration(replace(config, precision="auto"), device)
    plain = Acceleration("no", "sdpa", "contiguous", False, False, chosen.checkpointing)
    last = replace(plain, memory_format="channels_last")
    draws = config.data.draws_per_pair
    found = [
        Variant("float32, torch's Muon", plain, draws, own_muon=False),
        Variant("float32, Muon in batches", plain, draws),
        Variant("float32, channels last", last, draws),
        Variant("float32, channels last, matmul attention", replace(last, attention="matmul"), draws),
    ]
    if config.optimizer.name != "muon":
        found = found[1:]
    fast = device.type == "cuda" or is_fast_in_bfloat16(device)
    if fast or everything:
        half = replace(plain, precision="bf16", muon="bf16")
        products = replace(half, attention="matmul")
        found += [
            Variant("bfloat16", half, draws),
            Variant("bfloat16, matmul attention", products, draws),
            Variant("bfloat16, matmul attention, float32 layers", replace(products, float32_layers=True), draws),
            Variant("bfloat16, channels last", replace(half, memory_format="channels_last"), draws),
        ]
    found.append(Variant("chosen by auto", chosen, draws))
    others = {1: "1 draw per pair", 3: "3 draws per pair"}
    found += [Variant(f"chosen by auto, {name}", chosen, count) for count, name in others.items() if count != draws]
    if everything:
        found.append(Variant("chosen by auto, compiled", replace(chosen, compile=True), draws))
    return found


class Runner:
    """A model that is ready to run steps of the config with one variant."""

    def __init__(self, config: TrainConfig, variant: Variant, device: torch.device) -> None:
        data = replace(config.data, draws_per_pair=variant.draws)
        self.config, self.variant, self.device = replace(config, data=data, accumulation=1), variant, device
        model = initial_model(config)
        accelerate(model, variant.acceleration)
        self.model = model.to(device).train()
        options = config.optimizer
        self.optimizer = build_optimizer(self.model.named_parameters(), options.name, options.learning_rate)
        accelerate_optimizer(self.optimizer, variant.acceleration)
        if isinstance(self.optimizer, MuonAdamW) and not variant.own_muon:
            self.optimizer.use_torchs_muon()
        self.losses = StepLosses(self.config, model, build_scheduler(model.config.noise), device)
        self.batch = random_batch(model, self.config)
        self.seconds: list[float] = []

    @property
    def rows(self) -> int:
        """Rows per step."""
        return self.config.data.pairs_per_batch * self.variant.draws

    def step(self) -> None:
        """Take one step: draw rows, run the forward and backward passes with every loss, and step the optimiser."""
        rows = self.losses.draw(0, self.batch, 0)
        visible = self.losses.visible([(rows, self.batch)])
        self.losses(self.model, self._autocast, rows, self.batch, visible)[0].backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.variant.acceleration.precision == "bf16")

    def timed(self) -> None:
        """Take a step and record its duration; on CPUs this is CPU time, which excludes other processes."""
        clock: Callable[[], float] = time.perf_counter if self.device.type == "cuda" else time.process_time
        start = clock()
        self.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds.append((clock() - start) / (1 if self.device.type == "cuda" else torch.get_num_threads()))


def random_batch(model: IGR, config: TrainConfig) -> Batch:
    """Noise in the shape of prepared pairs, with the average number of photos from `data.photos`, rounded.

    With a correspondence loss, every cell is visible in each photo.
    """
    shapes, pairs, generator = model.config, config.data.pairs_per_batch, torch.Generator().manual_seed(0)
    width, height = (side // shapes.vae.downscale for side in shapes.native_size)
    wanted = sum(share * (number + 1) for number, share in enumerate(config.data.photos)) * pairs
    count = max(pairs, round(wanted))
    photos = [(pair, *range(pairs + pair, count, pairs)) for pair in range(pairs)]
    latent = torch.randn(2, count, shapes.vae.latent_channels, height, width, generator=generator)
    features = torch.zeros(count, 1)
    if shapes.image_prompt is not None:
        tokens = () if shapes.image_prompt.layout == "linear" else (shapes.image_encoder.token_count,)
        features = torch.randn(count, *tokens, shapes.image_prompt.embedding_dim, generator=generator)
    mask = torch.rand(count, 1, height, width, generator=generator)
    places = None
    if config.correspondence_weight > 0:
        places = torch.rand(count, 1, 2, height, width, generator=generator)
    return Batch(latent[0], latent[1], mask, features, ["upper"] * count, places).seen_in(photos)


def table(runners: list[Runner]) -> str:
    """Table of seconds per step, rows and pairs per second, and the ratio to the first variant, from median times."""
    first = runners[0].rows / median(runners[0].seconds)
    lines = ["| step | s | rows/s | pairs/s | rows/s, ratio |", "|---|---:|---:|---:|---:|"]
    for runner in runners:
        each = median(runner.seconds)
        pairs = runner.config.data.pairs_per_batch
        rows = runner.rows / each
        lines.append(f"| {runner.variant.name} | {each:.2f} | {rows:.2f} | {pairs / each:.2f} | {rows / first:.2f} |")
    return "\n".join(lines)
