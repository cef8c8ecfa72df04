"""Helpers for the host tests: nodes that apply attention patches to a MODEL as other packs do, a detector for photos,
and routes that simulate a slow click and inspect the store of segmenters.
"""

import asyncio
import gc
import json
import sys
import threading
import time
from pathlib import Path

import comfy.samplers
import comfy.utils
import folder_paths
import torch
from aiohttp import web
from comfy.ldm.modules.attention import optimized_attention
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers import set_torch_compile_wrapper
from safetensors import safe_open
from safetensors.torch import save_file
from server import PromptServer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

BLOCKS = [("input", i) for i in range(12)] + [("middle", 0)] + [("output", i) for i in range(12)]


class Stacked:
    """A replacement to which later nodes add themselves, as in IPAdapter_plus."""

    def __init__(self, callback, **kwargs):
        self.entries = [(callback, kwargs)]

    def add(self, callback, **kwargs):
        self.entries.append((callback, kwargs))

    def __call__(self, q, k, v, extra_options):
        out = optimized_attention(q, k, v, extra_options["n_heads"])
        for callback, kwargs in self.entries:
            out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out


class Anything(str):
    """A type that the host accepts for every input, as the nodes of many packs have."""

    def __ne__(self, other):
        return False


class ProbeText:
    """Text, or the value that it describes as JSON, as an output of any type; of a LATENT, the samples' shape."""

    RETURN_TYPES, FUNCTION, CATEGORY = (Anything("*"),), "give", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}, "optional": {"parse": ("BOOLEAN",)}}

    def give(self, text, parse=False):
        value = json.loads(text) if parse else text
        return ({**value, "samples": torch.zeros(value["samples"])} if isinstance(value, dict) else value,)


def nudge(out, q, k, v, extra_options, weight):
    return weight * v.mean(1, keepdim=True)


class ProbeAttn2:
    """Adds to cross-attention; an existing attn2 replacement is extended in place."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "weight": ("FLOAT", {"default": 0.5, "min": -9.0, "max": 9.0})}}

    def patch(self, model, weight):
        model = model.clone()
        options = model.model_options["transformer_options"].copy()
        model.model_options["transformer_options"] = options
        options["patches_replace"] = options.get("patches_replace", {}).copy()
        replaced = options["patches_replace"]["attn2"] = options["patches_replace"].get("attn2", {}).copy()
        for block in BLOCKS:
            if block in replaced:
                replaced[block].add(nudge, weight=weight)
            else:
                replaced[block] = Stacked(nudge, weight=weight)
        return (model,)


class ProbeAttn1:
    """Replaces self-attention in every block, and rejects calls whose rows and options do not match."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "weight": ("FLOAT", {"default": 0.9, "min": -9.0, "max": 9.0})}}

    def patch(self, model, weight):
        model = model.clone()

        def replacement(q, k, v, extra_options):
            assert q.shape[0] % len(extra_options["cond_or_uncond"]) == 0
            return weight * optimized_attention(q, k, v, extra_options["n_heads"])

        for block in BLOCKS:
            model.set_model_attn1_replace(replacement, *block)
        return (model,)


class ProbeOriginalLayout:
    """Writes a bundle again with its UNets in Stable Diffusion's own layout of tensor names."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "convert", "tests", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "source": ("STRING", {}), "target": ("STRING", {})}}

    def convert(self, model, source, target):
        names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
        with safe_open(folder_paths.get_full_path("igr", source), framework="pt") as handle:
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}
            metadata = handle.metadata()
        converted = {}
        for key, value in tensors.items():
            part, name = key.split(".", 1)
            converted[f"{part}.{names[name]}" if part in ("denoiser", "garmnet") else key] = value
        path = Path(folder_paths.models_dir) / "igr" / target
        save_file(converted, path, metadata={**metadata, "padding": ""})
        # The host maps the file into memory, and the CPU's kernels round differently if weights do not begin at a
        # multiple of 16 bytes. The same offset in both files gives the same bits.
        padding = (header(folder_paths.get_full_path("igr", source)) - header(path)) % 64
        save_file(converted, path, metadata={**metadata, "padding": " " * padding})
        return ()


class ProbeBoxes:
    """Boxes in the format of detectors, from JSON."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("BOUNDING_BOX",), "give", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"boxes": ("STRING", {})}}

    def give(self, boxes):
        return (json.loads(boxes),)


def store():
    """The pack's segmenters."""
    (module,) = [module for name, module in sys.modules.items() if name.endswith(".nodes.segmentation.store")]
    return module.STORE


def hold_turn(held, seconds):
    """Simulate a click that lasts until a graph has run for some seconds."""
    queue = PromptServer.instance.prompt_queue
    with store().turn:
        held.set()
        end = time.monotonic() + 60
        while not queue.get_tasks_remaining() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(seconds)


@PromptServer.instance.routes.post("/probe/click")
async def slow_click(request):
    held = threading.Event()
    threading.Thread(target=hold_turn, args=(held, (await request.json())["seconds"])).start()
    await asyncio.get_running_loop().run_in_executor(None, held.wait)
    return web.json_response({})


@PromptServer.instance.routes.get("/probe/kept")
async def kept(request):
    gc.collect()
    return web.json_response([*store()._there.keys(), *(key for key, _ in store()._embeddings)])


def header(path):
    """Bytes of the header of a .safetensors file."""
    with open(path, "rb") as file:
        return int.from_bytes(file.read(8), "little")


class ProbeLittleMemory:
    """Makes a model assume that memory is low, so that conditionings are computed one after the other."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    def patch(self, model):
        model = model.clone()
        model.get_free_memory = lambda device: 0
        return (model,)


class ProbeCompile:
    """Compiles a model as TorchCompileModel does, including guards, with a backend that takes no time."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    def patch(self, model):
        model = model.clone()
        guards = {"guard_filter_fn": lambda entries: ["transformer_options" not in entry.name for entry in entries]}
        set_torch_compile_wrapper(model=model, backend="eager", options=guards)
        return (model,)


class ProbeHalves:
    """Computes the rows of a call one by one, and leaves values that are not tensors unchanged."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    def patch(self, model):
        def one_by_one(apply, call):
            def row(value, number):
                return value[number : number + 1] if torch.is_tensor(value) else value

            x, time, c = call["input"], call["timestep"], call["c"]
            rows = range(x.shape[0])
            return torch.cat([apply(row(x, i), row(time, i), **{k: row(v, i) for k, v in c.items()}) for i in rows])

        model = model.clone()
        model.set_model_unet_function_wrapper(one_by_one)
        return (model,)


class ProbeTiles:
    """Computes the left and the right half of the image one after the other, as packs for large images do."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    def patch(self, model):
        def halves(apply, call):
            return torch.cat([apply(x, call["timestep"], **call["c"]) for x in call["input"].chunk(2, -1)], -1)

        model = model.clone()
        model.set_model_unet_function_wrapper(halves)
        return (model,)


class ProbeBare:
    """Recreates a conditioning from its tensors alone, like nodes that do not know its options."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("CONDITIONING",), "give", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"conditioning": ("CONDITIONING",)}}

    def give(self, conditioning):
        return ([[tensor, {}] for tensor, _ in conditioning],)


class OwnGuider(comfy.samplers.CFGGuider):
    """A guider with its own names and order of conditionings."""

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        conds = [self.conds["second"], self.conds["first"]]
        second, first = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, model_options or {})
        return second + self.cfg * (first - second)


class ProbeGuider:
    """A guider as another pack might define it."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("GUIDER",), "give", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        wire = ("CONDITIONING",)
        return {"required": {"model": ("MODEL",), "first": wire, "second": wire, "cfg": ("FLOAT", {"default": 2.0})}}

    def give(self, model, first, second, cfg):
        guider = OwnGuider(model)
        guider.inner_set_conds({"first": first, "second": second})
        guider.set_cfg(cfg)
        return (guider,)


WATCHED = {}


class Calls(TorchFunctionMode):
    """Counts how often values are read from the device, and how often some tensors are moved."""

    READS = (
        torch.Tensor.item,
        torch.Tensor.tolist,
        torch.Tensor.__float__,
        torch.Tensor.__int__,
        torch.Tensor.__bool__,
    )

    def __init__(self, moved):
        super().__init__()
        self.moved, self.counts = moved, {"reads": 0, "moves": 0}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.counts["reads"] += func in self.READS
        self.counts["moves"] += func is torch.Tensor.to and args[0].data_ptr() in self.moved
        return func(*args, **(kwargs or {}))


class Doubles(TorchDispatchMode):
    """Lists the operations that take or return float64, which some devices do not support."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if any(torch.is_tensor(x) and x.dtype is torch.float64 for x in tree_leaves((args, kwargs, out))):
            self.found.add(str(func))
        return out


class ProbeWatched:
    """Records tensor operations of a sampling run; /probe/watched returns them."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "reference": ("IGR_REFERENCE",)}}

    def patch(self, model, reference):
        moved = {x.data_ptr() for pair in reference.image_keys_values.values() for x in pair}

        def watch(executor, *args, **kwargs):
            WATCHED.clear()
            with Calls(moved) as calls, Doubles() as doubles:
                out = executor(*args, **kwargs)
            WATCHED.update(calls.counts, tensors=len(moved), float64=sorted(doubles.found))
            return out

        model = model.clone()
        model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "probe", watch)
        return (model,)


@PromptServer.instance.routes.get("/probe/watched")
async def watched(request):
    return web.json_response(WATCHED)


class ProbeValues:
    """Turns an IMAGE or MASK into a LATENT, which is saved without rounding to 8 bits."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("LATENT",), "keep", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"optional": {"image": ("IMAGE",), "mask": ("MASK",)}}

    def keep(self, image=None, mask=None):
        return ({"samples": mask[:, None] if image is None else image.movedim(-1, 1).contiguous()},)


NODE_CLASS_MAPPINGS = {
    "ProbeAttn1": ProbeAttn1,
    "ProbeAttn2": ProbeAttn2,
    "ProbeBare": ProbeBare,
    "ProbeBoxes": ProbeBoxes,
    "ProbeCompile": ProbeCompile,
    "ProbeGuider": ProbeGuider,
    "ProbeHalves": ProbeHalves,
    "ProbeLittleMemory": ProbeLittleMemory,
    "ProbeOriginalLayout": ProbeOriginalLayout,
    "ProbeText": ProbeText,
    "ProbeTiles": ProbeTiles,
    "ProbeValues": ProbeValues,
    "ProbeWatched": ProbeWatched,
}
