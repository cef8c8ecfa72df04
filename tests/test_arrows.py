"""The permitted imports between packages: nodes -> igr_core <- training, and no others."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOST = {"aiohttp", "comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "latent_preview", "server"}
CLI = {"click", "rich", "typer"}
IGR_CORE_NEEDS = {"PIL", "einops", "igr_core", "numpy", "safetensors", "scipy", "torch"}
HEADLESS = {
    "accelerate": {"model/igr.py", "restore/restorer.py"},
    "diffusers": {
        "model/diffusers_adapter.py",
        "model/igr.py",
        "model/networks.py",
        "restore/restorer.py",
        "sampling/samplers.py",
    },
    "transformers": {
        "model/networks.py",
        "restore/restorer.py",
        "segmentation/human_parser.py",
        "segmentation/model_folder.py",
        "segmentation/sam2_checkpoint.py",
        "segmentation/sam2_library.py",
        "segmentation/segmenter.py",
    },
}
"""The only files of igr_core that may import these libraries."""
OPTIONAL = {
    "filelock": {"catalogue/run.py"},
    "fsspec": {"storage.py"},
    "jinja2": {"catalogue/report/contact_sheet.py"},
    "pillow_heif": {"photo/image_files.py"},
    "pyarrow": {"catalogue/report/report.py", "catalogue/table/rows.py"},
    "ray": {"catalogue/engine/cluster.py"},
}
"""Optional libraries, and the files that may use them."""
WHEN_CALLED = ROOT / "igr_core" / "segmentation"
"""Imports transformers only inside functions, so the nodes may use this file: the host provides transformers."""
BELOW = {
    "model": set(),
    "photo": {"model"},
    "segmentation": {"model", "photo"},
    "detail": {"model", "photo"},
    "flatten": {"model", "photo", "detail"},
    "sampling": {"model"},
    "restore": {"model", "photo", "detail", "flatten", "sampling"},
    "catalogue": {"model", "photo", "segmentation", "detail", "flatten", "sampling", "restore"},
    "cli": {"model", "photo", "segmentation", "detail", "flatten", "sampling", "restore", "catalogue"},
}
"""The folders that each folder of igr_core may import from, besides the files at the root, which import from none."""
TRAINING_BELOW = {
    "base": set(),
    "data": {"base"},
    "curation": {"base", "data"},
    "prepared": {"base", "data", "curation"},
    "core": {"base", "data", "prepared"},
    "bundles": {"base", "prepared", "core"},
    "small_models": {"base", "data", "prepared"},
    "detail": {"base", "data", "prepared", "evaluation"},
    "evaluation": {"base", "data", "prepared"},
    "robustness": {"base", "data", "evaluation"},
    "results": {"base", "curation", "detail", "evaluation", "robustness"},
    "baselines": {"bundles", "data", "evaluation"},
    "cli": {
        "base",
        "baselines",
        "data",
        "curation",
        "prepared",
        "core",
        "bundles",
        "small_models",
        "detail",
        "evaluation",
        "robustness",
        "results",
    },
}
"""The folders that each folder of training may import from; its entry point imports from the commands."""
DOORS = (ROOT / "igr_core" / "__init__.py", ROOT / "igr_core" / "__main__.py")
"""`import igr_core` and `python -m igr_core`: the only files at the root that import from folders."""

TOUCHES_HOST = ROOT / "nodes" / "host"
WITHOUT_HOST = (
    "images.py",
    "photos/catalogue.py",
    "segmentation/cache.py",
    "segmentation/prompts.py",
    "strengths.py",
)
"""The modules of nodes/ that tests/nodes imports, without a ComfyUI."""
ROOMS_WITHOUT_CYCLES = ("igr_core", "nodes", "tests", "training")


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Absolute dotted names of all imports in a file, at any depth, with relative imports resolved."""
    return set(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            words = (*base, *([node.module] if node.module else ()))
            yield from [".".join(words)] if node.module else [".".join((*words, alias.name)) for alias in node.names]


@cache
def neighbours(path: Path) -> frozenset[Path]:
    """The files of the repository that a file imports, at any depth within it."""
    found: set[Path] = set()
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            places = [ROOT.joinpath(*alias.name.split(".")) for alias in node.names]
            found |= {one for place in places for one in (place.with_suffix(".py"), place / "__init__.py")}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            place = ROOT.joinpath(*base, *(node.module.split(".") if node.module else ()))
            inside = {place / f"{alias.name}.py" for alias in node.names}
            found |= {one for one in inside if one.is_file()} or {place.with_suffix(".py"), place / "__init__.py"}
    return frozenset(one for one in found if one.is_file())


@cache
def reachable(path: Path) -> frozenset[Path]:
    """A file and those that it imports, directly or indirectly."""
    found, waiting = {path}, [path]
    while waiting:
        new = neighbours(waiting.pop()) - found
        found |= new
        waiting += new
    return frozenset(found)


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", modules("igr_core"), ids=label)
def test_igr_core_imports_only_what_it_may(path: Path) -> None:
    place = path.relative_to(ROOT / "igr_core")
    allowed = IGR_CORE_NEEDS | {
        library for library, users in (HEADLESS | OPTIONAL).items() if place.as_posix() in users
    }
    if place.parts[0] == "cli":
        allowed |= CLI
    assert tops(path) <= allowed


def test_the_files_of_a_headless_run_are_all_there() -> None:
    assert all((ROOT / "igr_core" / name).is_file() for users in HEADLESS.values() for name in users)
    assert {path.name for path in (ROOT / "igr_core").iterdir() if (path / "__init__.py").is_file()} - {
        "included"
    } == set(BELOW)


@pytest.mark.parametrize("path", modules("igr_core"), ids=label)
def test_folders_of_igr_core_import_from_those_below_them(path: Path) -> None:
    if path in DOORS:
        return
    folder = path.relative_to(ROOT / "igr_core").parts[0]
    taken = {name.split(".")[1] for name in imports(path) if name.startswith("igr_core.")} & set(BELOW)
    assert taken - {folder} <= BELOW.get(folder, set())


@pytest.mark.parametrize("path", modules("training"), ids=label)
def test_training_never_touches_nodes_or_the_host(path: Path) -> None:
    assert not tops(path) & (HOST | {"nodes"})


@pytest.mark.parametrize("path", modules("training"), ids=label)
def test_only_commands_of_training_import_a_cli_library(path: Path) -> None:
    assert path.parent == ROOT / "training" / "cli" or not tops(path) & CLI


@pytest.mark.parametrize("path", modules("training"), ids=label)
def test_folders_of_training_import_from_those_below_them(path: Path) -> None:
    folder = path.relative_to(ROOT / "training").parts[0]
    taken = {name.split(".")[1] for name in imports(path) if name.startswith("training.")}
    assert taken - {folder} <= TRAINING_BELOW.get(folder, {"cli"})


def test_every_folder_of_training_has_its_arrows() -> None:
    folders = {path.name for path in (ROOT / "training").iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(TRAINING_BELOW)


def test_no_folders_of_training_import_from_each_other() -> None:
    arrows = {(path.parent, one.parent) for path in modules("training") for one in neighbours(path)}
    assert not {(label(one), label(other)) for one, other in arrows if one != other and (other, one) in arrows}


@pytest.mark.parametrize("path", modules("nodes"), ids=label)
def test_nodes_import_neither_training_nor_headless_libraries(path: Path) -> None:
    assert not tops(path) & ({"training", *HEADLESS, *CLI})
    headless = {ROOT / "igr_core" / name for users in HEADLESS.values() for name in users}
    assert not {one for one in reachable(path) & headless if one.parent != WHEN_CALLED}


@pytest.mark.parametrize("path", modules("nodes"), ids=label)
def test_one_folder_of_nodes_touches_the_host_beyond_its_public_api(path: Path) -> None:
    assert TOUCHES_HOST in path.parents or not tops(path) & (HOST - {"comfy_api"})


@pytest.mark.parametrize("path", modules("nodes/host"), ids=label)
def test_what_touches_the_host_knows_no_node(path: Path) -> None:
    ours = {name for name in imports(path) if name.split(".")[0] == "nodes"}
    assert not {name for name in ours if not f"{name}.".startswith("nodes.host.")}


@pytest.mark.parametrize("name", WITHOUT_HOST)
def test_modules_that_need_no_host_import_none(name: str) -> None:
    reached = reachable(ROOT / "nodes" / name)
    assert not {top for path in reached for top in tops(path)} & HOST


@pytest.mark.parametrize("room", ROOMS_WITHOUT_CYCLES)
def test_no_module_of_a_room_imports_itself_by_way_of_others(room: str) -> None:
    inside = {label(path) for path in modules(room) if any(path in reachable(one) for one in neighbours(path))}
    assert not inside


@pytest.mark.parametrize("path", [*modules("igr_core"), *modules("nodes")], ids=label)
def test_the_pack_imports_itself_relatively(path: Path) -> None:
    """The host knows it as <folder>.igr_core and <folder>.nodes: absolute names would be other modules there."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    absolute = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level and n.module]
    absolute += [alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names]
    assert not [name for name in absolute if name.split(".")[0] in ("igr_core", "nodes")]


def test_what_the_host_needs_loads_no_headless_library() -> None:
    taken = {name for path in modules("nodes") for name in imports(path) if name.startswith("igr_core.")}
    assert taken
    script = f"""
import importlib, sys
for name in {sorted(taken)}:
    importlib.import_module(name)
loaded = {{"accelerate", "diffusers", "rich", "training", "transformers", "typer"}} & set(sys.modules)
sys.exit(f"loaded: {{sorted(loaded)}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
