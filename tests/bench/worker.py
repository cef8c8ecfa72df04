"""The part of `make bench` that measures in ComfyUI's own Python, in process, with the nodes' own functions.

run.py starts it as a script and reads the report that it writes. The pack is loaded by its path, as the host loads it;
nothing else in the repository is imported.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PACK = "igr_bench_pack"
GUIDANCE = 1.5
MEMORY_STEPS = {"plain": 1, "igr": 2, "naive": 1, "garmnet": 1}
"""Number of steps in the memory runs; from the second step on, everything that IGR keeps between steps exists."""

Run = Callable[[int], Any]
"""One variant, run for a number of denoising steps."""


@dataclass(frozen=True)
class Order:
    """The measurements to take."""

    host: str
    """ComfyUI's folder."""
    pack: str
    """The pack's folder."""
    flags: tuple[str, ...]
    """ComfyUI's own flags; its base directory holds models/igr with the bundle."""
    bundle: str
    """Name of the bundle."""
    size: tuple[int, int]
    """Width and height in pixels."""
    steps: int
    """Denoising steps of every timed run."""
    rounds: int
    """Number of times that every variant is run; the variants take turns."""
    report: str
    """JSON file to write."""


def boot(order: Order) -> None:
    """Import ComfyUI as its main.py does, and the pack by its path."""
    sys.path[0] = order.host  # in place of this folder
    sys.argv = ["main.py", *order.flags]
    import comfy.options

    comfy.options.enable_args_parsing()
    importlib.import_module("cuda_malloc")
    importlib.import_module("main")
    spec = importlib.util.spec_from_file_location(PACK, Path(order.pack) / "__init__.py")
    assert spec is not None and spec.loader is not None
    sys.modules[PACK] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[PACK])
    for folder in part("host.folders").MODEL_FOLDERS:
        folder.register()


def part(name: str) -> Any:
    """A module of the pack's nodes."""
    return importlib.import_module(f"{PACK}.nodes.{name}")


def say(text: str) -> None:
    """Report the progress."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def first_click(order: Order) -> SimpleNamespace:
    """Everything that runs between a click and the end of the first step.

    `seconds` is the total time, and `loading` the part of it spent on loading the bundle, whose file is in the page
    cache.
    """
    start = time.perf_counter()
    model, adapter, vae = part("load").IGRLoad.execute(order.bundle).args
    synchronize()
    loading = time.perf_counter() - start
    person, mask, category = part("photos.example").IGRExamplePerson.execute("upper").args
    size = "{}x{}".format(*order.size)
    view = part("view").IGRGarmentView.execute(adapter, person, "custom", "whole", 0.25, mask=mask, custom_size=size)
    reading = (adapter, vae, view.args[0], category)
    reference = part("encode").IGRGarmNetEncode.execute(*reading).args[0]
    patched, positive, negative, latent = part("apply").IGRApply.execute(model, reference, 1.0, 1.0).args
    part("sample").IGRSample.execute(patched, positive, negative, latent, 0, 1, GUIDANCE)
    synchronize()
    return SimpleNamespace(
        seconds=time.perf_counter() - start,
        loading=loading,
        model=model,
        patched=patched,
        reading=reading,
        reference=reference,
        conditions=(positive, negative),
        latent=latent,
    )


def naive_form(model: Any, reference: Any) -> Any:
    """The paper's concatenation, implemented literally: both halves are queries, in both rows, and the denoiser's own
    half is kept (Eq. 4).

    The image prompt is the nodes' own. model -> its patched clone.
    """
    from comfy.ldm.modules.attention import optimized_attention

    concatenated = importlib.import_module(f"{PACK}.igr_core.model.garmfus").concatenated_self_attention
    patched = part("apply").IGRApply.execute(model, reference, 0.0, 1.0).args[0]
    unet = patched.model.diffusion_model

    def replacement_for(features: Any, layer: Any) -> Callable[..., Any]:
        def attend(query: Any, key: Any, value: Any, heads: int, mask: Any) -> Any:
            return optimized_attention(query, key, value, heads, mask=mask)

        def replacement(query: Any, key: Any, value: Any, options: dict[str, Any]) -> Any:
            both = features.to(query).expand(query.shape[0], -1, -1)
            halves = (layer.to_q(both), layer.to_k(both), layer.to_v(both))
            return concatenated(query, key, value, *halves, options["n_heads"], attend)

        return replacement

    for name, (place, number, index) in part("host.blocks").transformer_blocks(reference.config.denoiser).items():
        stack = unet.middle_block if place == "middle" else getattr(unet, f"{place}_blocks")[number]
        features = reference.features[name].to(patched.load_device)
        layer = stack[1].transformer_blocks[index].attn1
        patched.set_model_attn1_replace(replacement_for(features, layer), place, number, index)
    return patched


def unconditional_row(model: Any, conditions: tuple[Any, Any], latent: Any) -> Run:
    """Denoising with the negative conditioning alone: one row."""
    import comfy.samplers

    class Unconditional(comfy.samplers.CFGGuider):
        def predict_noise(self, x: Any, timestep: Any, model_options: Any = None, seed: Any = None) -> Any:
            rows = [None, self.conds["negative"]]
            return comfy.samplers.calc_cond_batch(self.inner_model, rows, x, timestep, model_options or {})[1]

    def run(steps: int) -> Any:
        guider = Unconditional(model)
        guider.set_conds(*conditions)
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps).cpu()
        noise = part("sample").draw_batch_noise(latent, 0)
        return guider.sample(noise, latent["samples"], comfy.samplers.sampler_object("ddim"), sigmas, seed=0)

    return run


def variants(click: SimpleNamespace) -> dict[str, tuple[Any, Run]]:
    """The variants to compare by name: the ModelPatcher and a function that runs it."""
    core, encoding = importlib.import_module("nodes"), part("host.encoding")
    geometry = importlib.import_module(f"{PACK}.igr_core.photo.view")
    (adapter, vae, view, category), latent, conditions = click.reading, click.latent, click.conditions
    config = adapter.config
    picture = encoding.encode_image(vae, view.person, config.vae)
    mask = geometry.latent_mask(view.mask, config.vae.downscale)
    whole = part("encode").IGRGarmNetEncode.execute(*click.reading, "all").args[0]
    unpruned = part("apply").IGRApply.execute(click.model, whole, 1.0, 1.0).args[0]
    naive = naive_form(click.model, whole)

    def sampled(model: Any) -> Run:
        return lambda steps: core.common_ksampler(model, 0, steps, GUIDANCE, "ddim", "normal", *conditions, latent)

    def restored(model: Any) -> Run:
        return lambda steps: part("sample").IGRSample.execute(model, *conditions, latent, 0, steps, GUIDANCE)

    def read_once(_: int) -> Any:
        return encoding.encode_reference(adapter.garmnet, config, picture, mask, adapter.prompts[category][None])

    return {
        "plain": (click.model, sampled(click.model)),
        "igr": (click.patched, restored(click.patched)),
        "igr_all": (unpruned, restored(unpruned)),
        "naive": (naive, sampled(naive)),
        "uncond": (click.model, unconditional_row(click.model, conditions, latent)),
        "uncond_patched": (click.patched, unconditional_row(click.patched, conditions, latent)),
        "garmnet": (adapter.garmnet, read_once),
        "encode": (adapter.garmnet, lambda _: part("encode").IGRGarmNetEncode.execute(*click.reading)),
    }


def seconds(run: Callable[[], Any]) -> tuple[float, float]:
    """Wall-clock time of a run, and the CPU time that this process spends on it."""
    synchronize()
    clock, cpu = time.perf_counter(), time.process_time()
    run()
    synchronize()
    return time.perf_counter() - clock, time.process_time() - cpu


def peak_bytes(run: Callable[[], Any]) -> int:
    """Peak memory of a run's tensors in bytes, without those that existed before.

    On the CPU, the profiler's record of every allocation is summed up. This is the same quantity as on a GPU, and it is
    exact, whereas resident memory depends on how much memory the allocator keeps.
    """
    import torch

    if torch.cuda.is_initialized():
        run()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    level = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        level += event.nbytes()
        highest = max(highest, level)
    return highest


def machine() -> dict[str, Any]:
    """Description of the machine."""
    import torch
    from comfy.ldm.modules.attention import optimized_attention

    gpu = torch.cuda.get_device_name() if torch.cuda.is_initialized() else None
    return {
        "device": gpu or f"{torch.get_num_threads()} of {os.cpu_count()} CPU cores",
        "gpu": gpu is not None,
        "host": importlib.import_module("comfyui_version").__version__,
        "torch": torch.__version__,
        "attention": optimized_attention.__name__.removeprefix("attention_"),
    }


def weight_bytes(patcher: Any) -> int:
    """Bytes of a network's weights."""
    return sum(value.nbytes for value in patcher.model.diffusion_model.state_dict().values())


def measure(order: Order) -> dict[str, Any]:
    """All measurements of the table: the click, then memory (which also warms up), then the timed rounds."""
    import comfy.model_management

    say("load to first step")
    click = first_click(order)
    garmnet = click.reading[0].garmnet
    runs = variants(click)
    peaks: dict[str, int] = {}
    for name, steps in MEMORY_STEPS.items():
        say(f"memory: {name}")
        patcher, run = runs[name]
        comfy.model_management.load_models_gpu([patcher])
        peaks[name] = peak_bytes(functools.partial(run, steps))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(order.rounds):
        for name, (patcher, run) in runs.items():
            say(f"round {number + 1} of {order.rounds}: {name}")
            comfy.model_management.load_models_gpu([patcher])
            times[name].append(seconds(functools.partial(run, order.steps)))
    return {
        "machine": machine() | {"precision": str(click.model.model.get_dtype_inference()).removeprefix("torch.")},
        "click": click.seconds,
        "loading": click.loading,
        "times": times,
        "peaks": peaks,
        "weights": {"denoiser": weight_bytes(click.model), "garmnet": weight_bytes(garmnet)},
    }


def main() -> None:
    """Read the task, measure, and write the report."""
    order = Order(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    boot(order)
    import torch

    with torch.inference_mode():
        report = measure(order)
    Path(order.report).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
