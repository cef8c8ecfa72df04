"""Settings of the trainer: one frozen dataclass per subject, loaded from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from igr_core.errors import IGRError
from igr_core.model.config import ModelConfig, NoiseConfig, Side
from igr_core.ranges import Count, CountOrNone, Length, Positive, Range, Ranged, Seed, Share, Weight

Precision = Literal["auto", "no", "bf16"]
"""Mixed precision; `auto`: bf16 if it is fast on the hardware."""

CORRESPONDENCE_HEADS = (
    "down_blocks.0.attentions.0:0",
    "up_blocks.2.attentions.1:0",
    "down_blocks.1.attentions.0:0",
    "up_blocks.1.attentions.0:0",
    "up_blocks.1.attentions.1:0",
)
"""One head in each of five blocks of igr-small's UNet, at 1, 1, 1/2, 1/2 and 1/2 times the latent's resolution."""

Rate = Annotated[float, Range(0, 100, above=True)]
"""A learning rate."""
Decay = Annotated[float, Range(0, 0.9999999)]
"""Decay of a moving average."""
Few = Annotated[int, Range(1, 4096)]
"""Number of items that a step keeps in memory at once."""

ROUND = "{round}"
"""Placeholder for the number of the round in names of data folders and files."""


@dataclass(frozen=True)
class DataConfig(Ranged):
    """The prepared pairs and the composition of batches."""

    train: Annotated[tuple[str, ...], Length(1, 10_000)]
    """Folders of prepared latents (python -m training prepare) to train on, and YAML files with the fields of
    PairsConfig, whose images are read and encoded during training. `{round}` in a name stands for the round
    (round_steps)."""
    validation: str | dict[str, str]
    """Folder of prepared held-out latents, or several named folders, which are measured separately."""
    vae: str
    """Trained VAE (.safetensors with a .json of the same name), for validation images and export."""
    image_encoder: str
    """Trained image encoder, in the same format."""
    pairs_per_batch: Few = 8
    """Pairs per step and process; GarmNet runs once for each."""
    draws_per_pair: Few = 1
    """Noise samples per pair in a step: the denoiser's batch has pairs_per_batch * draws_per_pair rows."""
    limit: Count | None = None
    """Maximum number of training pairs per folder, starting with the first."""
    weights: tuple[Positive, ...] | None = None
    """Sampling weight of each entry of `train`; None samples all pairs equally."""
    workers: Annotated[int, Range(1, 256)] = 4
    """Number of threads that read the photos of a batch (only for YAML files in `train`)."""
    round_steps: Count | None = None
    """Steps per round of data, if names in `train` contain `{round}`. A round has new clothes on the same geometry, and
    can be prepared while the previous round is used for training. Rounds are counted from 0 at the run's first step,
    including the steps of low_resolution; the data of past rounds may be deleted."""
    photos: Annotated[tuple[Share, ...], Length(1, 16)] = (1.0,)
    """Probabilities that a pair uses one photo of its garment (as in the paper), two, three and so on, if the data has
    that many. Their reference tokens are concatenated; the image prompt comes from the pair's own photo."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(ROUND in name for name in self.train) != (self.round_steps is not None):
            raise IGRError(
                f"data.round_steps and the placeholder {ROUND} in data.train only work together: use both or neither."
            )
        if not self.held_out or not all(name.isidentifier() or not name for name in self.held_out):
            raise IGRError(
                f"data.validation has the names {', '.join(map(repr, self.held_out)) or '(none)'}: name each folder "
                "with letters, digits and underscores."
            )
        if abs(sum(self.photos) - 1) > 1e-6:
            raise IGRError(f"data.photos must be probabilities that sum to 1; they sum to {sum(self.photos):g}.")
        if self.weights is not None and len(self.weights) != len(self.train):
            raise IGRError(f"data.weights must have {len(self.train)} entries above 0, one per entry of data.train.")

    @property
    def held_out(self) -> dict[str, str]:
        """Folders of `validation` by name; a single folder has an empty name."""
        return self.validation if isinstance(self.validation, dict) else {"": self.validation}

    def round_at(self, step: int) -> int:
        """The round of data for a step, counted from 0."""
        return 0 if self.round_steps is None else step // self.round_steps

    def round_end(self, number: int) -> int | None:
        """The first step after a round; None without rounds."""
        return None if self.round_steps is None else (number + 1) * self.round_steps

    def of_round(self, number: int) -> tuple[str, ...]:
        """The names of `train` in a round."""
        return tuple(name.replace(ROUND, f"{number:03d}") for name in self.train)


@dataclass(frozen=True)
class DropConfig(Ranged):
    """Dropped conditions (Eq. 2), as fractions of the rows."""

    everything: Share = 0.10
    """Drop prompt, image prompt and reference together, as in the unconditional row of CFG."""
    image_prompt: Share = 0.05
    """Drop only the image prompt."""
    reference: Share = 0.05
    """Drop only the reference."""
    image_prompt_start: Share | None = None
    """Fraction of dropped image prompts at the first step, decreasing linearly to image_prompt; None for constant."""
    start_steps: CountOrNone = 0
    """Steps over which image_prompt_start decreases."""

    def __post_init__(self) -> None:
        super().__post_init__()
        total = self.everything + max(self.image_prompt, self.image_prompt_start or 0.0) + self.reference
        if total > 1:
            raise IGRError(f"drop: the fractions must sum to at most 1; they sum to {total:.2f}.")


@dataclass(frozen=True)
class OptimizerConfig(Ranged):
    """Optimiser and schedule; the defaults are the paper's (section 4.1)."""

    name: Literal["adamw", "muon", "adamw8bit", "adafactor"] = "adamw"
    """`adamw` (paper); `muon` to train from scratch; `adamw8bit` (bitsandbytes) or `adafactor` for small GPUs."""
    learning_rate: Rate = 1e-5
    """Peak learning rate."""
    muon_learning_rate: Rate | None = None
    """Peak learning rate of the matrices that muon trains; None for learning_rate."""
    weight_decay: Annotated[float, Range(0, 100)] = 0.01
    """Decoupled weight decay."""
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """AdamW's moment decays."""
    clip: Positive = 1.0
    """Maximum norm of the gradient."""
    warmup_steps: CountOrNone = 0
    """Number of linear warm-up steps."""
    schedule: Literal["constant", "cosine", "decay"] = "constant"
    """Learning rate after the warm-up; `decay`: constant, then linear to 0 over the last decay_steps, so that a run
    can be extended from any checkpoint before them."""
    decay_steps: CountOrNone = 0
    """Number of steps of the final decay (schedule `decay` only)."""


@dataclass(frozen=True)
class LoraConfig(Ranged):
    """Train the denoiser through low-rank adapters in its attention; GarmNet and the image prompt are trained fully."""

    rank: Annotated[int, Range(1, 4096)] = 64
    """Rank of the adapters."""
    alpha: Positive = 64.0
    """Scale of the adapters: alpha / rank."""


@dataclass(frozen=True)
class ExtraLossConfig(Ranged):
    """Losses in addition to Eq. 1, off by default; both use the image decoded from the predicted x0."""

    lpips: Weight = 0.0
    """Weight of LPIPS (VGG) between the decoded prediction and the decoded truth."""
    lpips_weights: str | None = None
    """File of torchvision's VGG-16 weights (vgg16-397923af.pth), if it is not in torch's cache."""
    dino: Weight = 0.0
    """Weight of 1 - cosine similarity of DINOv2's patch tokens for the decoded prediction and truth."""
    dino_model: str | None = None
    """Folder of a DINOv2 model in transformers' layout (dinov2-base)."""
    below: Share = 0.5
    """Fraction of the timesteps with these losses, least noisy first; predictions at noisier timesteps are too
    blurred."""
    rows: Few = 2
    """Number of rows per step to decode, least noisy first, because decoding is expensive."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dino > 0 and self.dino_model is None:
            raise IGRError("extra_losses.dino needs dino_model: the folder of a DINOv2 model.")


@dataclass(frozen=True)
class LowResolutionConfig(Ranged):
    """First steps of a run on smaller images, which are cheap; what the model learns transfers to larger images."""

    train: Annotated[tuple[str, ...], Length(1, 10_000)]
    """Like data.train, but prepared at `size`."""
    size: tuple[Side, Side]
    """Width and height in pixels."""
    steps: Count
    """Number of steps at this size; the rest of the run uses the model's own size."""
    pairs_per_batch: Few = 32
    """Pairs per step and process at this size."""
    weights: tuple[Positive, ...] | None = None
    """Like data.weights."""


@dataclass(frozen=True)
class TrainConfig(Ranged):
    """One training run of IGR."""

    data: DataConfig
    """Pairs and batches."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The networks. With init_bundle, the bundle defines them, and only parts set to null have an effect: they are left
    out (ablations)."""
    init_bundle: str | None = None
    """Bundle to start from; None for random weights."""
    size: tuple[Side, Side] | None = None
    """Width and height in pixels to train at; None for init_bundle's."""
    low_resolution: LowResolutionConfig | None = None
    """First steps on smaller images; None to use one size throughout (paper)."""
    noise: NoiseConfig | None = None
    """Diffusion process to train; None for init_bundle's. A new prediction type must be learned from scratch."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """Optimiser and schedule."""
    drop: DropConfig = field(default_factory=DropConfig)
    """Dropped conditions."""
    min_snr_gamma: Positive | None = None
    """Min-SNR loss weights with this gamma; None for uniform weights."""
    key_from_query: bool = False
    """Initialise W_k with W_q in self-attention, so that models trained from scratch learn correspondences sooner."""
    steps: Count = 1000
    """Optimiser steps."""
    accumulation: Annotated[int, Range(1, 100_000)] = 1
    """Batches per optimiser step."""
    precision: Precision = "bf16"
    """Mixed precision; `auto`: bf16 if the GPU or CPU has instructions for it, because emulation is very slow."""
    attention: Literal["auto", "sdpa", "matmul"] = "auto"
    """torch's fused attention or two matrix products; `auto`: the products on CPUs in bf16, otherwise fused."""
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Layout of kernels and feature maps; `auto`: channels_last, except on CPUs in bf16, where it does not help, and
    with ZeRO-2, which cannot partition such kernels."""
    compile: bool = False
    """Compile feed-forward layers and, on CUDA, residual blocks. This takes half a minute, then saves a few percent."""
    gradient_checkpointing: Literal[False, True, "selective", "auto"] = False
    """Trade time for memory in both UNets: recompute every block or, with `selective`, everything except matrix
    products, convolutions and attention; `auto`: off on CPUs and on GPUs with 120 GB or more, otherwise selective."""
    sharding: Literal["none", "zero2"] = "none"
    """`zero2`: DeepSpeed ZeRO-2 (paper), with gradients and optimiser state partitioned over the processes."""
    lora: LoraConfig | None = None
    """Low-rank adapters instead of the full denoiser; None trains it fully (paper)."""
    extra_losses: ExtraLossConfig = field(default_factory=ExtraLossConfig)
    """Losses in addition to Eq. 1."""
    correspondence_weight: Weight = 0.0
    """Weight of the correspondence loss, which teaches self-attention heads where each cell of the garment is in the
    photo, using the maps of rendered and drawn pairs; 0 as in the paper."""
    correspondence_heads: tuple[str, ...] = CORRESPONDENCE_HEADS
    """The heads with this loss, as BLOCK:HEAD."""
    ema_decay: Decay = 0.999
    """Decay of the exponential moving average that is validated and exported; 0 for none, which saves memory."""
    seed: Seed = 0
    """Seed of weights, batches and noise."""
    log_every: Count = 10
    """Steps between loss lines."""
    checkpoint_every: Count = 200
    """Steps between checkpoints."""
    keep_checkpoints: Count = 2
    """Number of checkpoints to keep."""
    validate_every: CountOrNone = 500
    """Steps between validations; 0 for none."""
    validation_pairs: Count = 32
    """Number of held-out pairs for the validation losses, including those with substituted conditions."""
    grid_pairs: Count = 6
    """Number of held-out pairs whose garments each validation restores and shows in one image."""
    grid_steps: Annotated[int, Range(1, 1000)] = 25
    """DDIM steps for this image."""
    guidance: Annotated[float, Range(0, 1000)] = 1.5
    """Guidance for this image."""
