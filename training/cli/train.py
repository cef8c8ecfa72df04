"""Commands that create, train and export bundles, and that estimate the cost of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from igr_core.cli.shared import echo
from igr_core.errors import IGRError, UsageError
from igr_core.included import INCLUDED_BUNDLE
from igr_core.model.config import ViewConfig, from_json
from igr_core.text import counted

from ..base.config_files import load_config
from ..base.outputs import check_kept
from ..base.train_config import TrainConfig
from .commands import Changes, DeviceOption, MaskOption, PrecisionOption, Split, ViewOption, out_file, out_folder

if TYPE_CHECKING:
    from ..data.contract.laid_out import LaidOut
    from ..prepared.encoding import PromptLayout
    from ..prepared.selection import PairsConfig

BENCH_CONFIG = Path(__file__).parents[1] / "configs" / "small" / "from_scratch" / "model.yaml"
Part = Literal["vae", "image_encoder"]
"""Parts that unpack can extract from a bundle."""
Limit = Annotated[
    int | None, typer.Option(min=1, max=10_000_000, help="Maximum number of pairs, starting with the first.")
]


def train(
    config: Annotated[Path, typer.Argument(help="YAML file with the fields of TrainConfig (training/configs).")],
    run: Annotated[Path, typer.Option(help="Run folder; resumes an interrupted run.", callback=out_folder)],
    changes: Changes = None,
    until: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000_000, help="Stop after this step; run the same command without this option to resume."
        ),
    ] = None,
    allow_new_data: Annotated[
        bool,
        typer.Option(
            "--allow-new-data",
            help="Resume even if the pairs or their mixture differ from those that the run started with.",
        ),
    ] = False,
) -> None:
    """Train GarmNet, denoiser and image prompt together; the VAE and image encoder stay frozen."""
    from ..core.run import train_run

    settings = load_config(TrainConfig, config, changes or ())
    step, stopped_by = train_run(settings, run, until, allow_new_data, echo)
    if stopped_by:
        echo(f"interrupted; saved step {step}: run the same command again to resume", err=True)
        raise typer.Exit(128 + stopped_by)


def prepare(
    out: Annotated[
        Path,
        typer.Option(help="Folder for the shards; keeps complete shards with the same settings.", callback=out_folder),
    ],
    config: Annotated[
        Path | None, typer.Argument(help="Training config (YAML) with the VAE, image encoder, size and view.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Data set: folder, shards (a.tar, s3://...), or YAML file with the fields of PairsConfig."),
    ] = None,
    drawn: Annotated[
        Path | None,
        typer.Option(help="Drawn pairs to use instead of --data, as written by `python -m training data draw`."),
    ] = None,
    split: Annotated[Split, typer.Option(help="train, or test for validation.")] = "train",
    mask: MaskOption = "auto",
    manifest: Annotated[Path | None, typer.Option(help="Folder of a curation, to skip dropped pairs.")] = None,
    subset: Annotated[
        Literal["kept", "hqft"], typer.Option(help="Pairs of the manifest to use: all kept ones, or the best fraction.")
    ] = "kept",
    flips: Annotated[
        bool, typer.Option("--flips", help="Also add a mirrored copy of each pair whose garment is symmetric.")
    ] = False,
    vae: Annotated[Path | None, typer.Option(help="Trained VAE, .safetensors with a .json of the same name.")] = None,
    image_encoder: Annotated[
        Path | None, typer.Option(help="Trained image encoder, .safetensors with a .json of the same name.")
    ] = None,
    layout: Annotated[Literal["linear", "resampler"] | None, typer.Option(help="Layout of the image prompt.")] = None,
    limit: Limit = None,
    shard: Annotated[int, typer.Option(min=1, max=10_000_000, help="Pairs per shard.")] = 500,
    bf16: Annotated[
        bool, typer.Option("--bf16", help="Encode in bfloat16, which is faster if the hardware supports it.")
    ] = False,
    device: DeviceOption = "auto",
    workers: Annotated[int, typer.Option(min=1, max=1024, help="Number of threads that read images.")] = 4,
    changes: Changes = None,
) -> None:
    """Encode pairs once with the frozen VAE and image encoder, so that training does not have to run them.

    To use several processes: torchrun --nproc-per-node 4 -m -- training prepare ...
    """
    from ..base.parts import describe_content
    from ..prepared.fits import check_settings
    from ..prepared.prepare import prepare_folder

    settings = load_config(TrainConfig, config) if config is not None else None
    vae, image_encoder, layout = _choices(settings, vae, image_encoder, layout)
    if settings is not None:
        named = describe_content(vae, "vae") | describe_content(image_encoder, "image_encoder")
        check_settings(settings, {**named, "layout": layout}, "The command line")
    _check_alone(drawn, data, mask != "auto", manifest, flips, changes)
    chosen = _named_pairs(data, split, mask, manifest, subset, flips, changes or ()) if data is not None else None
    pairs = _open(settings, drawn, chosen, limit, workers)
    echo(f"{out}: {describe_pairs(pairs)}")
    new = prepare_folder(pairs, out, vae, image_encoder, layout, shard, bf16, device)
    echo(f"{out}: {counted(len(pairs), 'pair')}, {new:,} new.")
    _note_beyond(out, len(pairs))


def _note_beyond(out: Path, count: int) -> None:
    """Print a note about pairs in the folder that this run did not prepare, because training will use them too."""
    from ..prepared.prepare import pairs_beyond

    if more := pairs_beyond(out, count):
        echo(
            f"Note: {out} also contains {counted(more, 'pair')} from an earlier run, which training will use too: "
            f"set data.limit to {count} in the training config, or prepare into a new folder.",
            err=True,
        )


def _check_alone(drawn: Path | None, *others: object) -> None:
    """Raise IGRError if --drawn is combined with options that it would ignore."""
    if drawn is not None and any(others):
        raise IGRError("--drawn takes pairs as they were drawn: omit --data, --mask, --manifest, --flips and --set.")


def _choices(
    config: TrainConfig | None, vae: Path | None, image_encoder: Path | None, layout: PromptLayout | None
) -> tuple[Path, Path, PromptLayout]:
    """VAE, image encoder and layout from the options or, where these are not given, from the config."""
    from ..prepared.fits import model_config

    if config is not None:
        vae = vae or Path(config.data.vae)
        image_encoder = image_encoder or Path(config.data.image_encoder)
        prompt = model_config(config).image_prompt
        layout = layout or (prompt.layout if prompt is not None else "linear")
    if vae is None or image_encoder is None or layout is None:
        raise IGRError(
            "The VAE, image encoder and layout are missing: pass the training config, or --vae, --image-encoder and "
            "--layout."
        )
    return vae, image_encoder, layout


def _named_pairs(
    data: str, split: str, mask: str, manifest: Path | None, subset: str, flips: bool, changes: Sequence[str]
) -> PairsConfig:
    """The pairs specified by the options: a data set, or a YAML file with PairsConfig's fields and `changes` to
    them."""
    from ..prepared.selection import PairsConfig

    if Path(data).suffix in (".yaml", ".yml"):
        return load_config(PairsConfig, data, changes)
    if changes:
        raise IGRError(
            f"--set {changes[0]} changes an entry of a YAML file, but --data {data} is not one: use a YAML file."
        )
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
    """Drawn pairs, or the pairs of a data set laid out for the config's model."""
    from ..data.caches.drawn import DrawnPairs
    from ..prepared.fits import check_drawn, model_config
    from ..prepared.selection import layout_of, open_pairs

    if drawn is not None:
        found = DrawnPairs(drawn, limit)
        if settings is not None:
            check_drawn(settings, found.config)
        return found
    if pairs is None or settings is None:
        raise IGRError("No pairs were specified: pass --data ROOT with the training config, or --drawn FOLDER.")
    return open_pairs(pairs, layout_of(model_config(settings), pairs), limit, workers)


def describe_pairs(pairs: LaidOut) -> str:
    """One-line description of the pairs to prepare; if records are still being rendered, of those that exist so far."""
    garments = len({name for name in pairs.garments if name is not None})
    shown = f", photos of {counted(garments, 'dressed garment')}" if garments else ""
    return f"{counted(len(pairs), 'pair')}{shown}."


def init(
    sd: Annotated[Path, typer.Option(help="Stable Diffusion 1.5: a single file, or a folder in diffusers' layout.")],
    ip_adapter: Annotated[Path, typer.Option(help="ip-adapter_sd15 or ip-adapter-plus_sd15 (.safetensors or .bin).")],
    image_encoder: Annotated[Path, typer.Option(help="IP-Adapter's image encoder, CLIP ViT-H: a folder or file.")],
    out: Annotated[Path, typer.Option(help="Bundle to write (.safetensors).", callback=out_file)],
    licence: Annotated[str, typer.Option(help="Licence of the weights, as stated by their sources.")],
    tokenizer: Annotated[Path | None, typer.Option(help="SD1.5's tokenizer folder, if --sd is a single file.")] = None,
    vae: Annotated[Path | None, typer.Option(help="VAE to use instead of SD1.5's: a file or folder.")] = None,
    denoiser: Annotated[
        Path | None, typer.Option(help="UNet to use instead of SD1.5's, of the same architecture: a file or folder.")
    ] = None,
    garmnet: Annotated[
        Path | None,
        typer.Option(help="UNet for GarmNet, such as OOTDiffusion's unet_garm; a copy of the denoiser by default."),
    ] = None,
    size: Annotated[str, typer.Option(help="WxH to train at.")] = "768x1024",
    view: ViewOption = "whole",
    precision: PrecisionOption = "fp16",
) -> None:
    """Create the initial bundle; GarmNet is a copy of the denoiser with a zero mask channel."""
    from igr_core.photo.inputs import parse_size

    from ..bundles.init import Sources, write_init

    sources = Sources(sd, ip_adapter, image_encoder, tokenizer, vae, denoiser, garmnet)
    write_init(out, sources, licence, parse_size(size, 8), ViewConfig(view), precision)
    echo(f"{out} ({out.stat().st_size / 1e6:.1f} MB)")


def estimate_cost(
    config: Annotated[Path, typer.Argument(help="YAML file with the fields of TrainConfig.")],
    processes: Annotated[int, typer.Option(min=1, max=1024, help="Number of GPUs.")] = 1,
    changes: Changes = None,
    sd15: Annotated[
        bool, typer.Option("--sd15", help="Assume SD1.5's shape if init_bundle does not exist yet.")
    ] = False,
    cards: Annotated[
        bool, typer.Option("--cards", help="Also estimate the hours and cost of the run for several GPUs.")
    ] = False,
) -> None:
    """Estimate the memory and compute of a training step from the number of weights and activations."""
    from ..core.compute.estimate import estimate, hours_table
    from ..prepared.fits import model_config

    settings = load_config(TrainConfig, config, changes or ())
    if sd15:
        model = replace(settings.model, native_size=settings.size or settings.model.native_size)
    else:
        model = model_config(settings)
    found = estimate(settings, model, processes)
    rows = settings.data.pairs_per_batch * settings.data.draws_per_pair
    echo(
        f"estimated, for each of {processes}: {found.trained / 1e6:.0f} M trainable weights; "
        f"weights {found.weights:.1f} GB, gradients {found.gradients:.1f}, optimiser {found.optimizer:.1f}, "
        f"average {found.average:.1f}, copies in bfloat16 {found.copies:.1f}, activations {found.activations:.1f} for "
        f"{rows} rows: {found.total:.1f} GB; "
        f"{found.teraflops:.0f} TFLOP per micro-batch, {found.teraflops * settings.accumulation:.0f} per step"
    )
    if settings.gradient_checkpointing in ("selective", "auto"):
        echo("estimated without checkpointing: selective checkpointing needs less memory for a little extra work")
    if cards:
        echo(f"\n{hours_table(found, settings, processes)}")


def bench(
    config: Annotated[
        Path, typer.Argument(help="YAML file with the fields of TrainConfig; its data is not read.")
    ] = BENCH_CONFIG,
    rounds: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Number of measurements per variant; the variants take turns.")
    ] = 5,
    changes: Changes = None,
    device: DeviceOption = "auto",
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Also measure compiled layers, and bf16 without hardware support, which takes minutes per step.",
        ),
    ] = False,
) -> None:
    """Time training steps on random pairs, with OMP_NUM_THREADS threads; no files are written."""
    import torch

    from igr_core.device import choose_device

    from ..core.bench import Runner, table, variants
    from ..prepared.fits import model_config

    settings = load_config(TrainConfig, config, changes or ())
    model_config(settings)
    place = choose_device(device)
    runners = [Runner(settings, variant, place) for variant in variants(settings, place, everything)]
    for runner in runners:
        runner.step()
    for _ in range(rounds):
        for runner in runners:
            runner.timed()
    clock = "wall clock" if place.type == "cuda" else f"CPU time on {torch.get_num_threads()} threads"
    echo(f"auto picks: {runners[-1].variant.acceleration.describe()}")
    echo(f"median of {rounds} rounds, variants in turn, {clock}\n\n{table(runners)}")


def export(
    run: Annotated[Path, typer.Argument(help="Run folder, as written by `python -m training train`.")],
    out: Annotated[Path, typer.Option(help="Bundle to write (.safetensors).", callback=out_file)],
    name: Annotated[str, typer.Option(help="Name of the model.")],
    data: Annotated[str, typer.Option(help="Description of the training data.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "Apache-2.0",
    precision: PrecisionOption = "fp16",
    scores: Annotated[
        Path | None,
        typer.Option(help="Folder from `evaluate run` with scores of the same export, which are stored in the bundle."),
    ] = None,
) -> None:
    """Write the averaged weights of a run's latest checkpoint as a bundle."""
    from ..bundles.export import export_run
    from ..evaluation.experiments.compact import compact_scores

    if out.suffix != ".safetensors":
        raise UsageError(f"--out {out}: use the extension .safetensors.")
    for option, text in (("--name", name), ("--data", data), ("--licence", licence)):
        if not text.strip():
            raise UsageError(f"{option} is empty: it is stored in the bundle, so describe it in a few words.")
    if scores is not None:
        check_kept(out, "--out", folders=[scores])
    path = export_run(run, out, name, licence, precision, data, partial(compact_scores, scores) if scores else None)
    echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def unpack(
    bundle: Annotated[Path, typer.Argument(help="The bundle.", show_default="igr-small")] = INCLUDED_BUNDLE,
    out: Annotated[
        Path, typer.Option(help="Output folder, with a subfolder for each part.", callback=out_folder)
    ] = Path("runs"),
    part: Annotated[Part | None, typer.Option(help="Part to write; both by default.")] = None,
) -> None:
    """Write the frozen parts of BUNDLE in the format that train-vae and train-image-encoder write."""
    from igr_core.model.bundle import Bundle

    from ..bundles.unpack import part_path, unpack_part

    opened, names = Bundle.open(bundle), get_args(Part) if part is None else (part,)
    for name in names:  # before any of them is written
        part_path(out, name)
    for name in names:
        echo(str(unpack_part(opened, name, out)))
