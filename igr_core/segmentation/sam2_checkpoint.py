"""Load SAM 2 from a single file, as in ComfyUI's models/sam2, with Meta's or transformers' tensor names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import IGRError
from ..files import check_model_file, open_tensors
from ..foreign import explain_unreadable, kind_of
from ..text import counted
from .sam2_library import sam2_library

if TYPE_CHECKING:
    from transformers import Sam2Config, Sam2Model

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Build:
    """A published size of SAM 2: the values that identify it, and settings that tensor shapes do not reveal."""

    name: str
    """Name of the size, as in file names."""
    width: int
    """Number of channels in the first stage; each later stage has twice as many as the one before."""
    blocks: tuple[int, ...]
    """Number of blocks in each stage."""
    heads: int
    """Number of attention heads in the first stage; like the number of channels, it doubles with each stage."""
    windows: tuple[int, ...]
    """Side of each stage's attention windows."""
    global_blocks: tuple[int, ...]
    """Indices of the blocks with global attention."""
    side: int = 1024
    """Width and height of the square that the model sees, in pixels."""


BUILDS = (
    Build("tiny", 96, (1, 2, 7, 2), 1, (8, 4, 14, 7), (5, 7, 9)),
    Build("small", 96, (1, 2, 11, 2), 1, (8, 4, 14, 7), (7, 10, 13)),
    Build("base_plus", 112, (2, 3, 16, 3), 2, (8, 4, 14, 7), (12, 16, 20)),
    Build("large", 144, (2, 6, 36, 4), 2, (8, 4, 16, 8), (23, 33, 43)),
)
"""The published sizes, which are the same for SAM 2 and SAM 2.1."""

REMEDY = "use a published file, such as sam2.1_hiera_small.safetensors from Kijai/sam2-safetensors"

_MARKS = {
    "original": ("image_encoder.trunk.patch_embed.proj.weight", "sam_mask_decoder.mask_tokens.weight"),
    "transformers": ("vision_encoder.backbone.patch_embed.projection.weight", "mask_decoder.mask_tokens.weight"),
}
"""Tensors that identify a layout; all of them must be present."""
_FIRST_SAM = re.compile(r"(image_encoder\.blocks|vision_encoder\.layers)\.0\.")
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80")
_DTYPES = ("F32", "F16", "BF16")

_VIDEO = {
    "original": (
        "memory_attention.",
        "memory_encoder.",
        "maskmem_tpos_enc",
        "no_mem_pos_enc",
        "no_obj_ptr",
        "no_obj_embed_spatial",
        "mask_downsample.",
        "obj_ptr_proj.",
        "obj_ptr_tpos_proj.",
    ),
    "transformers": (
        "memory_attention.",
        "memory_encoder.",
        "memory_temporal_positional_encoding",
        "no_memory_positional_encoding",
        "no_object_pointer",
        "occlusion_spatial_embedding_parameter",
        "mask_downsample.",
        "object_pointer_proj.",
        "temporal_positional_encoding_projection_layer.",
    ),
}
"""Prefixes of the tensors for remembering earlier video frames, which are skipped because images do not need them."""
_ONLY_IN_2_1 = (
    "no_obj_embed_spatial",
    "obj_ptr_tpos_proj.",
    "occlusion_spatial_embedding_parameter",
    "temporal_positional_encoding_projection_layer.",
)

_RENAMED = tuple(
    (re.compile(old), new)
    for old, new in (
        (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
        (r"^image_encoder\.neck\.", "vision_encoder.neck."),
        (r"^sam_prompt_encoder\.", "prompt_encoder."),
        (r"^sam_mask_decoder\.", "mask_decoder."),
        (r"^no_mem_embed$", "no_memory_embedding"),
        (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
        (r"\.convs\.(\d+)\.conv\.", r".convs.\1."),
        (r"\.norm(\d)\.", r".layer_norm\1."),
        (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
        (r"\.out_proj\.", ".o_proj."),
        (r"\.mlp\.layers\.0\.", ".mlp.proj_in."),
        (r"\.mlp\.layers\.1\.", ".mlp.proj_out."),
        (r"(_mlps\.\d+|_head)\.layers\.0\.", r"\1.proj_in."),
        (r"(_mlps\.\d+|_head)\.layers\.1\.", r"\1.layers.0."),
        (r"(_mlps\.\d+|_head)\.layers\.2\.", r"\1.proj_out."),
        (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
        (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
        (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
        (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
        (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
        (r"\.output_upscaling\.0\.", ".upscale_conv1."),
        (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
        (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    )
)
"""Replacements from Meta's names to transformers', applied in this order."""
_POINTS = tuple(f"sam_prompt_encoder.point_embeddings.{number}.weight" for number in range(4))
"""Embeddings of negative points, positive points, and a box's two corners; a single tensor in transformers."""
_POINTS_AS_ONE = "prompt_encoder.point_embed.weight"
_POSITIONS = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_POSITIONS_TWICE = (
    "shared_image_embedding.positional_embedding",
    "prompt_encoder.shared_embedding.positional_embedding",
)
"""Two names under which transformers stores this matrix; some files have only one of them."""


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a file according to its header; no weights are read."""

    path: Path
    """The file."""
    layout: Literal["original", "transformers"]
    """Layout of the tensor names: Meta's or transformers'."""
    version: Literal["2", "2.1"] | None
    """SAM 2 or SAM 2.1; None if the file lacks the video tensors that tell them apart. They work the same on images."""
    build: Build
    """The size of the model."""
    background: tuple[int, int]
    """Rows and columns of the background position embedding that all windows share."""
    sources: dict[str, tuple[str, ...]]
    """For each tensor of Sam2Model, the file's tensors from which it is concatenated along the first axis."""


def load_checkpoint(path: str | Path, builds: Sequence[Build] = BUILDS) -> Sam2Model:
    """Load a .safetensors file of SAM 2 or SAM 2.1 into transformers' model, in float32 on the CPU, for inference.

    Raises IGRError as read_checkpoint does, and for NaN or infinite weights.
    """
    checkpoint = read_checkpoint(path, builds)
    model = _model_on_meta(checkpoint)
    model.load_state_dict(_tensors(checkpoint), assign=True)
    return model.eval().requires_grad_(False)


def read_checkpoint(path: str | Path, builds: Sequence[Build] = BUILDS) -> Checkpoint:
    """Identify a file by the names and shapes of its tensors, and check that it is complete.

    Raises IGRError naming the file if it is missing, damaged, incomplete, a pickle, not SAM 2 or of an unknown size, or
    if it has tensors that SAM 2 does not have.
    """
    path = Path(path)
    shapes, dtypes = _read_header(path)
    layout = _layout(path, shapes)
    video = {name for name in shapes if name.startswith(_VIDEO[layout])}
    later = any(name.startswith(_ONLY_IN_2_1) for name in video)
    sources = _sources(shapes.keys() - video, layout)
    given = {name: _joined([shapes[source] for source in parts]) for name, parts in sources.items()}
    build = _build(path, given, builds)
    version = "2.1" if later else "2" if video else None
    checkpoint = Checkpoint(path, layout, version, build, _background(given), sources)
    _check_complete(checkpoint, given)
    _check_dtypes(checkpoint, dtypes)
    return checkpoint


def _read_header(path: Path) -> tuple[Shapes, dict[str, str]]:
    """Shapes and dtypes of the tensors by name."""
    check_model_file(path, "SAM 2")
    try:
        if _starts_as_pickle(path):
            raise IGRError(f"{path} {_convert(path)}")
        with open_tensors(path) as handle:
            slices = {name: handle.get_slice(name) for name in sorted(handle.keys())}
            shapes = {name: tuple(one.get_shape()) for name, one in slices.items()}
            return shapes, {name: str(one.get_dtype()) for name, one in slices.items()}
    except PermissionError as error:
        raise IGRError(f"{path} cannot be read: change its permissions.") from error
    except (OSError, SafetensorError) as error:
        raise IGRError(f"{path} cannot be read as SAM 2: {explain_unreadable(path, REMEDY)}.") from error


def _starts_as_pickle(path: Path) -> bool:
    with path.open("rb") as handle:
        start = handle.read(9)
    # A safetensors file may start with the same byte (the header's length), but its ninth byte is a brace.
    return start.startswith(_PICKLE_STARTS) and start[8:] != b"{"


def _convert(path: Path) -> str:
    new = f"{path.stem}.safetensors"
    return (
        "is a pickle, which can execute code when it is loaded, so it is not supported: "
        f"{REMEDY}, or convert it by running this in its folder: "
        f'python -c "import torch; from safetensors.torch import save_file; '
        f"save_file(torch.load('{path.name}', 'cpu', weights_only=True)['model'], '{new}')\""
    )


def _layout(path: Path, names: Iterable[str]) -> Literal["original", "transformers"]:
    names = set(names)
    if names.issuperset(_MARKS["original"]):
        return "original"
    if names.issuperset(_MARKS["transformers"]):
        return "transformers"
    kind = "the first SAM" if any(map(_FIRST_SAM.match, names)) else kind_of(names)
    reason = f"it seems to be {kind}" if kind else "its tensors have other names"
    raise IGRError(f"{path} is not SAM 2: {reason}; {REMEDY}.")


def _sources(names: Iterable[str], layout: Literal["original", "transformers"]) -> dict[str, tuple[str, ...]]:
    """The tensors of the file that make up each tensor of Sam2Model; unknown tensors keep their names."""
    names = set(names)
    if layout == "transformers":
        found = {name: (name,) for name in names}
        for one, other in (_POSITIONS_TWICE, _POSITIONS_TWICE[::-1]):
            found |= {one: found[other]} if other in found and one not in found else {}
        return found
    found: dict[str, tuple[str, ...]] = {}
    if names.issuperset(_POINTS):
        found[_POINTS_AS_ONE] = _POINTS
        names -= set(_POINTS)
    if _POSITIONS in names:
        found |= dict.fromkeys(_POSITIONS_TWICE, (_POSITIONS,))
        names.remove(_POSITIONS)
    return found | {_renamed(name): (name,) for name in names}


def _renamed(name: str) -> str:
    for old, new in _RENAMED:
        name = old.sub(new, name)
    return name


def _joined(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Shape of tensors concatenated along the first axis; empty if their shapes do not match."""
    first = shapes[0]
    if len(shapes) == 1:
        return first
    return (len(shapes) * first[0], *first[1:]) if first and len(set(shapes)) == 1 else ()


def _build(path: Path, given: Shapes, builds: Sequence[Build]) -> Build:
    """The published size with the file's numbers of channels and blocks."""
    width = next(iter(given["vision_encoder.backbone.patch_embed.projection.weight"]), 0)
    numbers = [re.match(r"vision_encoder\.backbone\.blocks\.(\d+)\.", name) for name in given]
    count = 1 + max((int(number[1]) for number in numbers if number), default=-1)
    for build in builds:
        if (build.width, sum(build.blocks)) == (width, count):
            return build
    known = ", ".join(build.name for build in builds)
    raise IGRError(f"{path} is a SAM 2 model of unknown size ({count} blocks, {width} channels): use one of {known}.")


def _background(given: Shapes) -> tuple[int, int]:
    shape = given.get("vision_encoder.backbone.pos_embed", ())
    return (shape[2], shape[3]) if len(shape) == 4 else (7, 7)  # a wrong shape is reported by _check_complete


def _check_complete(checkpoint: Checkpoint, given: Shapes) -> None:
    """Compare names and shapes with those of Sam2Model; raises IGRError if they differ."""
    path, model = checkpoint.path, f"SAM 2 {checkpoint.build.name}"
    wanted = {name: tuple(value.shape) for name, value in _model_on_meta(checkpoint).state_dict().items()}
    extra = sorted(source for name in given.keys() - wanted.keys() for source in checkpoint.sources[name])
    if extra:
        raise IGRError(
            f"{path} has {counted(len(extra), 'tensor')} that {model} does not have, such as {extra[0]}: {REMEDY}."
        )
    missing = sorted(wanted.keys() - given.keys())
    if missing:
        raise IGRError(
            f"{path} is missing {counted(len(missing), 'tensor')} of {model}, such as {missing[0]}: download the file "
            "again."
        )
    for name, shape in sorted(wanted.items()):
        if given[name] != shape:
            found, right = ("×".join(map(str, sides)) or "a scalar" for sides in (given[name], shape))
            source = checkpoint.sources[name][0]
            raise IGRError(f"{path} is not {model}: its {source} is {found} instead of {right}; {REMEDY}.")


def _check_dtypes(checkpoint: Checkpoint, dtypes: dict[str, str]) -> None:
    for source in sorted({source for parts in checkpoint.sources.values() for source in parts}):
        if dtypes[source] not in _DTYPES:
            raise IGRError(f"{checkpoint.path} stores {source} as {dtypes[source]}: use a file in fp16 or fp32.")


def _model_on_meta(checkpoint: Checkpoint) -> Sam2Model:
    """Sam2Model of the file's size, without weights; raises IGRError if transformers has no SAM 2."""
    model_class = sam2_library().model
    with torch.device("meta"):
        return model_class(_config(checkpoint.build, checkpoint.background))


def _config(build: Build, background: tuple[int, int]) -> Sam2Config:
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2PromptEncoderConfig, Sam2VisionConfig

    widths = [build.width << stage for stage in range(len(build.blocks))]
    trunk = Sam2HieraDetConfig(
        hidden_size=build.width,
        num_attention_heads=build.heads,
        image_size=[build.side, build.side],
        window_positional_embedding_background_size=list(background),
        blocks_per_stage=list(build.blocks),
        embed_dim_per_stage=widths,
        num_attention_heads_per_stage=[build.heads << stage for stage in range(len(build.blocks))],
        window_size_per_stage=list(build.windows),
        global_attention_blocks=list(build.global_blocks),
    )
    vision = Sam2VisionConfig(
        backbone_config=trunk,
        backbone_channel_list=widths[::-1],
        backbone_feature_sizes=[[build.side // step] * 2 for step in (4, 8, 16)],
    )
    return Sam2Config(vision_config=vision, prompt_encoder_config=Sam2PromptEncoderConfig(image_size=build.side))


def _tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The weights under Sam2Model's names, in float32."""
    try:
        with open_tensors(checkpoint.path) as handle:
            tensors = {
                name: torch.cat([handle.get_tensor(source).float() for source in parts])
                for name, parts in checkpoint.sources.items()
            }
    except (OSError, SafetensorError) as error:
        raise IGRError(
            f"{checkpoint.path} changed or disappeared while it was being read: load the file again."
        ) from error
    for name, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            source = checkpoint.sources[name][0]
            raise IGRError(f"{checkpoint.path} contains NaN or infinite values in {source}: download the file again.")
    return tensors
