"""`python -m training COMMAND`: every command and the module that implements it."""

from __future__ import annotations

import typer

from .commands import LazyCommands, Verb

DATA, PREPARE, TRAIN, EXPORT = "Data", "Prepare", "Train", "Export"
CURATE, EVALUATE, SMALL = "Curate", "Evaluate", "Small models"
MAKE, LOOK, TOOLS = "Make", "Look through", "Tools"
RUN, SHOW, METRICS = "Score", "Show", "Metrics"


class DataVerbs(LazyCommands):
    """The commands of `python -m training data`."""

    verbs = (
        Verb("draw", "drawing", "draw", "Draw pairs of person and garment and store them in OUT.", MAKE),
        Verb("render", "rendering", "render", "Render garments, each worn by several people, into records.", MAKE),
        Verb("held-out", "rendering", "held_out", "Write the fixed held-out set of rendered pairs.", MAKE),
        Verb("fixture", "drawing", "fixture", "Draw a small data set in a published layout.", MAKE),
        Verb("pack", "data", "pack", "Write a data set as WebDataset shards.", MAKE),
        Verb("check", "data", "check", "Detect the layout, read every pair, and list problems.", LOOK),
        Verb("sheet", "drawing", "sheet", "Write contact sheets of drawn or rendered pairs.", LOOK),
        Verb("agreement", "rendering", "agreement", "Compare rendered photos with their product shots.", TOOLS),
        Verb("bench-render", "rendering", "bench_render", "Time rendering and dressing by stage.", TOOLS),
        Verb("examples", "rendering", "examples", "Render the example persons of the nodes.", TOOLS),
        Verb("export-body", "rendering", "export_body", "Rewrite the body of the rendered people.", TOOLS),
    )


data_app = typer.Typer(cls=DataVerbs, add_completion=False, no_args_is_help=True)


@data_app.callback()
def data() -> None:
    """Draw, render, check and pack data sets."""


class EvaluateVerbs(LazyCommands):
    """The commands of `python -m training evaluate`."""

    verbs = (
        Verb("run", "evaluate", "run", "Run an experiment: restore, score with controls, and write a report.", RUN),
        Verb("score", "evaluate", "score", "Score a folder of garments against the ground truth.", RUN),
        Verb("robustness", "robustness", "app", "Measure the effect of inaccurate masks.", RUN),
        Verb("cutout", "others", "cutout_app", "Prepare other methods' results for scoring.", RUN),
        Verb("report", "evaluate", "report", "Rewrite an experiment's report.", SHOW),
        Verb("tables", "evaluate", "tables", "Print experiments as tables next to the paper's numbers.", SHOW),
        Verb("curves", "evaluate", "curves", "Plot the losses of training runs.", SHOW),
        Verb("results", "evaluate", "results", "Store results and write their tables to the docs.", SHOW),
        Verb("validate", "evaluate", "validate", "Check the preferences of the texture metric.", METRICS),
        Verb("weights", "evaluate", "list_weights", "List the weight files of the metrics' networks.", METRICS),
    )


evaluate_app = typer.Typer(cls=EvaluateVerbs, add_completion=False, no_args_is_help=True)


@evaluate_app.callback()
def evaluate() -> None:
    """Score restored garments, run experiments, and write tables and reports."""


class Verbs(LazyCommands):
    """The commands of `python -m training`."""

    verbs = (
        Verb("data", "app", "data_app", "Draw, render, check and pack data sets.", DATA),
        Verb("init", "train", "init", "Create the initial bundle from published weights.", PREPARE),
        Verb("prepare", "train", "prepare", "Encode pairs once with the frozen VAE and image encoder.", PREPARE),
        Verb("train", "train", "train", "Train GarmNet, denoiser and image prompt; run again to resume.", TRAIN),
        Verb("estimate", "train", "estimate_cost", "Estimate memory and compute of a training step.", TRAIN),
        Verb("bench", "train", "bench", "Compare ways to compute a training step.", TRAIN),
        Verb("export", "train", "export", "Write a run's averaged weights as a bundle.", EXPORT),
        Verb("unpack", "train", "unpack", "Extract the VAE and image encoder from a bundle.", EXPORT),
        Verb("curate", "curate", "app", "Score pairs, review them, and select the best.", CURATE),
        Verb("detail", "detail", "app", "Fit the readout of a bundle's attention, and measure its accuracy.", EXPORT),
        Verb("demo", "evaluate", "demo", "Restore held-out pairs and a photo.", EVALUATE),
        Verb("evaluate", "app", "evaluate_app", "Score garments, run experiments, write tables and reports.", EVALUATE),
        Verb("baseline", "others", "baseline_app", "Restore a data set with another method's weights.", EVALUATE),
        Verb("train-vae", "small_models", "train_vae", "Train the small VAE.", SMALL),
        Verb("measure-vae", "small_models", "measure_vae", "Measure a VAE on held-out pairs.", SMALL),
        Verb("train-image-encoder", "small_models", "train_image_encoder", "Train the small image encoder.", SMALL),
        Verb("train-parser", "small_models", "train_parser", "Train the small human parser.", SMALL),
        Verb(
            "measure-parser",
            "small_models",
            "measure_parser",
            "Measure a human parser on held-out photos.",
            SMALL,
        ),
        Verb("train-segmenter", "small_models", "train_segmenter", "Train the small SAM 2.", SMALL),
        Verb(
            "measure-segmenter",
            "small_models",
            "measure_segmenter",
            "Measure a SAM 2 on held-out photos.",
            SMALL,
        ),
        Verb("train-flattener", "small_models", "train_flattener", "Train the network that lays garments flat.", SMALL),
        Verb("measure-flattener", "small_models", "measure_flattener", "Measure a flattener on held-out pairs.", SMALL),
        Verb("collect-outlines", "small_models", "collect_outlines", "Collect outlines for the flattener.", SMALL),
    )


app = typer.Typer(cls=Verbs, add_completion=False, no_args_is_help=True)


@app.callback()
def training() -> None:
    """Create data, train IGR at any scale, export bundles, and evaluate them."""
