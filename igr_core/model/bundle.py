"""The bundle: one safetensors file that contains the whole model."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..errors import IGRError
from ..files import check_model_file, open_tensors, own_memory, sampled_hash, write_tensors
from ..foreign import explain_foreign_keys, explain_unreadable
from ..json_text import parse_json, without_nan
from .config import PROMPT_NAMES, ModelConfig, UNetConfig, from_json, to_json
from .detail_config import DetailConfig
from .weights_needed import weights_needed

FORMAT_VERSION = 1
METADATA_KEY = "igr"
PARTS = ("denoiser", "garmnet", "image_prompt", "prompts", "vae", "image_encoder")
"""Every part that a bundle may contain, in the order in which they are shown."""

MAX_HEADER = 1_000_000
"""Maximum length of a bundle's JSON header in characters; igr-small's has 28,000."""
MAX_TENSORS = 20_000
"""Maximum number of tensors in a bundle; an SD1.5-sized one has 2,500."""
_DTYPES = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
_ORIGINAL_CONV_IN = "input_blocks.0.0.weight"
_AGAIN = "download or export it again"

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class BundleInfo:
    """Contents of a bundle's header."""

    model: ModelConfig
    """Config of every part."""
    name: str
    """Name of the model."""
    licence: str
    """Licence of the weights."""
    expected_vae: str | None
    """VAE to use with a bundle that does not include one."""
    expected_image_encoder: str | None
    """CLIP vision model to use with a bundle that does not include one."""
    training: dict[str, Any]
    """Provenance: data, steps, revision, command."""
    scores: dict[str, Any]
    """Measured scores."""
    detail: DetailConfig | None = None
    """Settings for reading the attention; None if none were fitted."""


class Bundle:
    """A validated bundle on disk; weights are read lazily."""

    def __init__(
        self, path: Path, format_version: int, info: BundleInfo, shapes: Shapes, dtypes: dict[str, str]
    ) -> None:
        self.path = path
        self.format_version = format_version
        self.info = info
        self._shapes = shapes
        self._dtypes = dtypes

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read and validate a bundle's header.

        Raises IGRError naming the file if it is missing, truncated, not a bundle, newer than this code or incomplete.
        """
        path = Path(path)
        metadata, shapes, dtypes = _read_header(path)
        if METADATA_KEY not in metadata:
            raise IGRError(f"{path} is not an IGR bundle: {explain_foreign_keys(shapes)}.")
        format_version, info = _parse_info(path, metadata[METADATA_KEY])
        _check_dtypes(path, dtypes)
        _check_parts(path, info.model, shapes)
        return cls(path, format_version, info, shapes, dtypes)

    def has(self, part: str) -> bool:
        """Whether the bundle contains this part."""
        return any(key.startswith(f"{part}.") for key in self._shapes)

    def shapes(self, part: str) -> Shapes:
        """Shapes of a part's tensors, by name without the part's prefix."""
        prefix = f"{part}."
        return {key.removeprefix(prefix): shape for key, shape in self._shapes.items() if key.startswith(prefix)}

    def tensors(self, part: str) -> dict[str, Tensor]:
        """Read a part's tensors, by name without the part's prefix.

        Raises IGRError if the bundle does not contain the part, the file has disappeared since it was opened, or a
        weight is NaN or infinite.
        """
        names = self._carried(part)
        try:
            with open_tensors(self.path) as handle:
                tensors = {name: handle.get_tensor(f"{part}.{name}") for name in names}
        except (OSError, SafetensorError) as error:
            raise IGRError(
                f"{self.path} changed or disappeared while it was being read: load the bundle again."
            ) from error
        for name, value in tensors.items():
            if not _is_finite(value):
                raise IGRError(f"{self.path} contains NaN or infinite values in {part}.{name}: use an intact bundle.")
        return tensors

    def key(self) -> str:
        """A hash of the file's contents, which identifies a bundle independently of its name.

        For large files, only blocks spread over the file are hashed. Raises IGRError if the file has disappeared since
        it was opened.
        """
        try:
            return sampled_hash(self.path)
        except OSError as error:
            raise IGRError(
                f"{self.path} changed or disappeared while it was being read: load the bundle again."
            ) from error

    def check_sizes(self) -> None:
        """Compare the config with the number of weights in each part, before any network is built.

        Raises IGRError naming the file and the part whose config needs more weights than the file has.
        """
        for part, needed in weights_needed(self.info.model).items():
            found = sum(math.prod(shape) for shape in self.shapes(part).values())
            if self.has(part) and found < needed:
                raise IGRError(
                    f"The {part} in {self.path} has {found:,} weights, but its config needs at least {needed:,}: "
                    "export the bundle again."
                )

    def check_fit(self, module: nn.Module, part: str) -> None:
        """Compare the names and shapes of a part with those of a module, without reading weights.

        Raises IGRError naming the file, the part and the first few tensors that do not match.
        """
        carried = self._carried(part)
        if _conv_in_name(part, self._shapes) == f"{part}.{_ORIGINAL_CONV_IN}":
            raise IGRError(
                f"The {part} in {self.path} uses Stable Diffusion's original tensor names, which only ComfyUI reads: "
                "export the bundle with diffusers' names."
            )
        problem = _compare({name: tuple(value.shape) for name, value in module.state_dict().items()}, carried)
        if problem:
            raise IGRError(f"The {part} in {self.path} does not match its config: {problem}; use an intact bundle.")

    def load_into(self, module: nn.Module, part: str) -> None:
        """Copy a part's weights into a module; raises IGRError, before any weight is copied, if check_fit fails.

        Modules on the meta device receive the tensors in the file's precision.
        """
        self.check_fit(module, part)
        on_meta = any(value.is_meta for value in module.state_dict().values())
        module.load_state_dict(self.tensors(part), assign=on_meta)

    def fill(self, modules: Mapping[str, nn.Module]) -> None:
        """Load parts into modules, by part name; raises IGRError before reading any weight if one does not match."""
        for part, module in modules.items():
            self.check_fit(module, part)
        for part, module in modules.items():
            self.load_into(module, part)

    def prompts(self) -> dict[str, Tensor]:
        """Read the text embeddings upper, lower, full and empty, each (prompt_tokens, cross_attention_dim)."""
        return {name: value.clone() for name, value in self.tensors("prompts").items()}

    def summary(self) -> list[dict[str, Any]]:
        """Number of tensors and parameters, megabytes and dtypes of each part, from the header alone."""
        return [_summarise(part, self._shapes, self._dtypes) for part in PARTS if self.has(part)]

    def _carried(self, part: str) -> Shapes:
        shapes = self.shapes(part)
        if not shapes:
            raise IGRError(f"{self.path} has no {part}: use a bundle that includes it, or provide it separately.")
        return shapes


def save_bundle(path: str | Path, info: BundleInfo, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write a bundle atomically; the same contents always give the same bytes.

    Raises IGRError, leaving an existing file unchanged, for parts that do not match the config, NaN or infinite
    weights, provenance that is not valid JSON, or a failed write.
    """
    path = Path(path)
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise IGRError(f"{path} cannot contain {', '.join(unknown)}: a bundle has only the parts {', '.join(PARTS)}.")
    metadata = {METADATA_KEY: _info_to_text(path, info)}
    tensors = {f"{part}.{name}": value for part in parts for name, value in parts[part].items()}
    _check_parts(path, info.model, {key: tuple(value.shape) for key, value in tensors.items()})
    for key, value in tensors.items():
        if not _is_finite(value):
            raise IGRError(
                f"{path} was not written: {key} contains NaN or infinite values; export an earlier checkpoint."
            )
    write_tensors(path, own_memory(tensors), metadata)


def describe(bundle: Bundle) -> dict[str, Any]:
    """Everything that `inspect` shows about a bundle, as JSON-serialisable values."""
    info = bundle.info
    return {
        "file": str(bundle.path),
        "megabytes": round(bundle.path.stat().st_size / 1e6, 2),
        "format_version": bundle.format_version,
        "name": info.name,
        "licence": info.licence,
        "expected_vae": info.expected_vae,
        "expected_image_encoder": info.expected_image_encoder,
        "parts": bundle.summary(),
        "model": to_json(info.model),
        "training": info.training,
        "scores": info.scores,
    }


def _read_header(path: Path) -> tuple[dict[str, str], Shapes, dict[str, str]]:
    check_model_file(path, "the bundle")
    try:
        with open_tensors(path) as handle:
            if (count := len(handle.keys())) > MAX_TENSORS:
                raise IGRError(f"{path} has {count:,} tensors, but a bundle has at most {MAX_TENSORS:,}: {_AGAIN}.")
            slices = {key: handle.get_slice(key) for key in sorted(handle.keys())}
            shapes = {key: tuple(one.get_shape()) for key, one in slices.items()}
            dtypes = {key: str(one.get_dtype()) for key, one in slices.items()}
            return handle.metadata() or {}, shapes, dtypes
    except PermissionError as error:
        raise IGRError(f"{path} cannot be read: change its permissions.") from error
    except (OSError, SafetensorError) as error:
        raise IGRError(f"{path} cannot be read as a bundle: {explain_unreadable(path)}.") from error


def _parse_info(path: Path, text: str) -> tuple[int, BundleInfo]:
    """The format version and the rest of the JSON header."""
    if len(text) > MAX_HEADER:
        raise IGRError(
            f"{path} has a header of {len(text):,} characters, but at most {MAX_HEADER:,} are read: {_AGAIN}."
        )
    data = parse_json(text, f"{path} has a damaged header, which", _AGAIN)
    version = data.pop("format_version", None) if isinstance(data, dict) else None
    if type(version) is not int or version < 1:
        raise IGRError(f"{path} has a damaged header (no format version): download or export it again.")
    if version > FORMAT_VERSION:
        raise IGRError(
            f"{path} has bundle format {version}, but this version of IGR reads up to {FORMAT_VERSION}: update IGR."
        )
    try:
        return version, from_json(BundleInfo, data, "bundle")
    except IGRError as error:
        raise IGRError(f"{path} has an invalid header: {error}") from error


def _info_to_text(path: Path, info: BundleInfo) -> str:
    try:
        plain = json.loads(json.dumps(without_nan(dataclasses.asdict(info)), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise IGRError(f"{path} was not written: training and scores must be valid JSON values ({error}).") from error
    if plain["detail"] is None:
        del plain["detail"]  # so that bundles written before this field existed keep their bytes
    text = json.dumps({"format_version": FORMAT_VERSION, **plain}, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_HEADER:
        raise IGRError(
            f"{path} was not written: its header would have {len(text):,} characters, but at most {MAX_HEADER:,} are "
            "read; describe the training and the scores more briefly."
        )
    return text


def _check_parts(path: Path, model: ModelConfig, shapes: Shapes) -> None:
    present = {key.split(".", 1)[0] for key in shapes}
    unknown = sorted(present - set(PARTS))
    if unknown:
        raise IGRError(f"{path} has the unknown parts {_first(unknown)}: it is not an IGR bundle.")
    optional = {"garmnet": model.garmnet, "image_prompt": model.image_prompt}
    required = ["denoiser", *(part for part, config in optional.items() if config is not None)]
    missing = [part for part in required if part not in present]
    missing += [f"prompts.{name}" for name in PROMPT_NAMES if f"prompts.{name}" not in shapes]
    if missing:
        raise IGRError(f"{path} is missing {_first(missing)}, which its config requires: export the bundle again.")
    for part, config in optional.items():
        if config is None and part in present:
            raise IGRError(f"{path} contains {part}, but its config does not: export the bundle again.")
    embedding = (model.prompt_tokens, model.denoiser.cross_attention_dim)
    wanted: Shapes = {f"prompts.{name}": embedding for name in PROMPT_NAMES}
    wanted[_conv_in_name("denoiser", shapes)] = _conv_in_shape(model.denoiser)
    if model.garmnet is not None:
        wanted[_conv_in_name("garmnet", shapes)] = _conv_in_shape(model.garmnet)
    given = {key: shapes[key] for key in wanted if key in shapes}
    given |= {key: shapes[key] for key in shapes if key.startswith("prompts.")}
    problem = _compare(wanted, given)
    if problem:
        raise IGRError(f"{path} does not match its own config: {problem}; export the bundle again.")
    _check_image_prompt_width(path, model)


def _check_dtypes(path: Path, dtypes: dict[str, str]) -> None:
    for key, dtype in dtypes.items():
        if dtype not in _DTYPES and not key.endswith("position_ids"):  # CLIP's only integer buffer
            raise IGRError(f"{path} stores {key} as {dtype}, which is not supported: export the bundle again in fp16.")


def _check_image_prompt_width(path: Path, model: ModelConfig) -> None:
    if model.image_prompt is None:
        return
    encoder = model.image_encoder
    width = encoder.projection_dim if model.image_prompt.layout == "linear" else encoder.hidden_size
    if model.image_prompt.embedding_dim != width:
        raise IGRError(
            f"{path} has an image prompt for embeddings of width {model.image_prompt.embedding_dim}, but its image "
            f"encoder outputs {width}: set the matching image encoder in the config."
        )


def _conv_in_name(part: str, shapes: Shapes) -> str:
    """Name of a UNet's first weight: diffusers', or Stable Diffusion's original name, which ComfyUI also supports."""
    original = f"{part}.{_ORIGINAL_CONV_IN}"
    return original if original in shapes else f"{part}.conv_in.weight"


def _conv_in_shape(config: UNetConfig) -> tuple[int, ...]:
    return (config.block_out_channels[0], config.in_channels, 3, 3)


def _compare(wanted: Shapes, given: Shapes) -> str:
    """Describe briefly how `given` differs from `wanted`; empty if it does not."""
    different = [
        f"{key} is {_shape(given[key])} instead of {_shape(wanted[key])}"
        for key in sorted(wanted.keys() & given.keys())
        if wanted[key] != given[key]
    ]
    groups = (
        ("missing ", sorted(wanted.keys() - given.keys())),
        ("unexpected ", sorted(given.keys() - wanted.keys())),
        ("", different),
    )
    return "; ".join(label + _first(items) for label, items in groups if items)


def _first(items: Iterable[str], count: int = 3) -> str:
    items = list(items)
    rest = f" and {len(items) - count} more" if len(items) > count else ""
    return ", ".join(items[:count]) + rest


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a scalar"


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    known = tensor.float() if tensor.element_size() == 1 else tensor  # float8 does not support comparisons
    return all(math.isfinite(float(end)) for end in known.aminmax())  # propagates NaN, and is much faster than isfinite


def _summarise(part: str, shapes: Shapes, dtypes: dict[str, str]) -> dict[str, Any]:
    keys = [key for key in shapes if key.startswith(f"{part}.")]
    counts = {key: torch.Size(shapes[key]).numel() for key in keys}
    size = sum(counts[key] * _bytes_of(dtypes[key]) for key in keys)
    return {
        "part": part,
        "tensors": len(keys),
        "parameters": sum(counts.values()),
        "megabytes": round(size / 1e6, 2),
        "dtypes": sorted({dtypes[key] for key in keys}),
    }


def _bytes_of(dtype: str) -> int:
    """Bytes per value of a safetensors dtype name such as F32, BF16, F8_E4M3, I64, BOOL."""
    digits = "".join(c for c in dtype.split("_")[0] if c.isdigit())
    return max(1, int(digits or 8) // 8)
