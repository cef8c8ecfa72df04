"""The repository as a whole: portable text, declared dependencies, documented names, a README with valid links."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
IMPORT_NAMES = {
    "clean-fid": "cleanfid",
    "mitsuba-oidn": "mitsuba_oidn",
    "pillow": "PIL",
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "torch-fidelity": "torch_fidelity",
}
OURS = {"igr_core", "nodes", "tests", "training"}
HOST = {
    "aiohttp",
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "folder_paths",
    "latent_preview",
    "server",
    "tomli",
}
NOT_PORTABLE = re.compile(
    r"(?<![\w.~/-])/(?:home|root|Users|work|opt|mnt)/\w"
    r"|[A-Z]:\\Users\\"
    r"|pypi\.org|pythonhosted\.org|download\.pytorch\.org|registry\.npmjs|conda\.anaconda"
    r"|--(?:extra-)?index-url|--find-links|--trusted-host"
)


def files() -> list[Path]:
    """Every file of the repository, and those about to be added."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """The text files by their path from the root, except this one."""
    found = {}
    for path in files():
        data = path.read_bytes()
        if b"\0" not in data and path != Path(__file__).resolve():
            found[path.relative_to(ROOT).as_posix()] = data.decode("utf-8")
    return found


def syntax_trees(*rooms: str) -> dict[str, ast.Module]:
    return {
        name: ast.parse(text)
        for name, text in texts().items()
        if name.endswith(".py") and (not rooms or name.split("/")[0] in rooms)
    }


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirement_names(lines: list[str]) -> set[str]:
    """Names of requirement lines, without extras, versions and markers."""
    matches = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)
    return {match[0].lower() for match in matches if match}


def requirements(name: str) -> set[str]:
    return requirement_names((ROOT / name).read_text(encoding="utf-8").splitlines())


def declared() -> set[str]:
    extras = project()["project"]["optional-dependencies"]
    return requirements("requirements.txt") | requirement_names([line for lines in extras.values() for line in lines])


def test_no_file_names_a_machine_path_or_a_registry() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if NOT_PORTABLE.search(line)
    ]
    assert not found


@pytest.mark.parametrize("command", ["make demo", "make test", "python -m igr_core restore"])
def test_readme_names_the_commands(command: str) -> None:
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_public_names_of_igr_core_have_a_docstring() -> None:
    missing = []
    for name, tree in syntax_trees("igr_core").items():
        missing += [name] if tree.body and not ast.get_docstring(tree) else []
        scopes = [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))]
        for node in (node for scope in scopes for node in scope.body):
            public = isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                missing.append(f"{name}: {node.name}")
    assert not missing


def test_nothing_prints() -> None:
    prints = [
        f"{name}:{node.lineno}"
        for name, tree in syntax_trees(*OURS - {"tests"}).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not prints


def test_every_imported_library_is_declared() -> None:
    imported = set()
    for tree in syntax_trees(*OURS).values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.split(".")[0])
    # not in an extra, because they are large, need CUDA, or only regenerate the body file; an error names them
    asked_for = {"anny", "bitsandbytes", "lpips", "pillow_heif", "pyiqa"}
    known = asked_for | {IMPORT_NAMES.get(name, name) for name in declared()}
    assert imported - set(sys.stdlib_module_names) - OURS - HOST <= known


def test_pinned_versions_are_those_of_the_extras() -> None:
    assert requirements("requirements-dev.txt") == declared()


def test_the_host_keeps_its_own_libraries() -> None:
    assert not requirements("requirements.txt") & {"torch", "torchvision", "numpy", "transformers", "safetensors"}


def test_registry_metadata() -> None:
    settings = project()
    assert "comfyui" not in settings["project"]["name"].lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", settings["project"]["version"])
    assert settings["project"]["license"] == {"file": "LICENSE"} and (ROOT / "LICENSE").is_file()
    assert f"[{settings['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert settings["tool"]["comfy"]["DisplayName"]
