"""A real ComfyUI server, and graphs for it in API form."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[3]
PROBES = ROOT / "tests" / "host" / "probe_nodes"
"""A pack of helpers for the host tests."""
UPDATE = bool(os.environ.get("IGR_UPDATE"))
"""Whether to regenerate the images and API forms that the tests compare with."""
BOOT_SECONDS = 600
RUN_SECONDS = 900
Graph = dict[str, dict[str, Any]]


def find_host() -> tuple[Path, Path] | str:
    """ComfyUI's folder and its Python, or the reason for their absence."""
    given = os.environ.get("COMFYUI_PATH")
    places = [Path(given)] if given else [Path.home() / "comfy" / "ComfyUI"]
    if not given and ROOT.parent.name == "custom_nodes":
        places.append(ROOT.parent.parent)
    folder = next((place for place in places if (place / "main.py").is_file()), None)
    if folder is None:
        return f"no ComfyUI in {' or '.join(map(str, places))}: set COMFYUI_PATH"
    if python := os.environ.get("COMFYUI_PYTHON"):
        return folder, Path(python)
    tail = Path("Scripts/python.exe") if sys.platform == "win32" else Path("bin/python")
    for name in (".venv", "venv"):
        if (folder / name / tail).is_file():
            return folder, folder / name / tail
    return f"{folder} has no .venv or venv: set COMFYUI_PYTHON"


def host_with_gpu() -> tuple[Path, Path]:
    """ComfyUI's folder and its Python; skips the test if that Python does not detect a GPU."""
    found = find_host()
    assert not isinstance(found, str), "the fixture server has found one"
    has_gpu = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    if subprocess.run([str(found[1]), "-c", has_gpu], check=False).returncode:
        pytest.skip("NOT RUN: ComfyUI's options for GPU memory need a GPU")
    return found


class PromptRefused(Exception):
    """The server rejected a graph before running it; the text is its response."""


class PromptFailed(Exception):
    """A graph ended in an error; the text names node and reason."""


class Server:
    """A running server with its own base directory."""

    def __init__(self, base: Path, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.base = base
        self.url = f"http://127.0.0.1:{port}"
        self.process = process
        self.log = log
        self.boot_log = ""

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, data: Any) -> Any:
        request = urllib.request.Request(
            self.url + path, json.dumps(data).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise PromptRefused(error.read().decode()) from error
        return json.loads(text) if text else None

    def start(self, graph: Graph) -> str:
        """Queue a graph and return its id."""
        return self.post("/prompt", {"prompt": graph, "client_id": uuid.uuid4().hex})["prompt_id"]

    def interrupt(self, graph: Graph, seconds: float) -> str:
        """Run a graph, interrupt it after some seconds, and return the type of the node in which it stopped."""
        prompt = self.start(graph)
        while not self.get("/queue")["queue_running"]:
            time.sleep(0.02)
        time.sleep(seconds)
        self.post("/interrupt", {})
        try:
            self.finish(prompt)
        except PromptFailed:
            messages = dict(self.get(f"/history/{prompt}")[prompt]["status"]["messages"])
            return messages["execution_interrupted"]["node_type"]
        raise AssertionError("the graph ended before it could be stopped")

    def finish(self, prompt: str) -> dict[str, Any]:
        """Wait for a graph and return its history; raises PromptFailed with node and reason."""
        end = time.monotonic() + RUN_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the server died: {self.log.read_text(errors='replace')[-3000:]}")
            history = self.get(f"/history/{prompt}")
            if prompt in history:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the graph never ended")
        for kind, data in history[prompt]["status"]["messages"]:
            if kind == "execution_error":
                raise PromptFailed(f"{data['node_type']}: {data['exception_type']}: {data['exception_message']}")
            if kind == "execution_interrupted":
                raise PromptFailed("interrupted")
        return history[prompt]

    def run(self, graph: Graph) -> dict[str, Any]:
        """Run a graph to completion."""
        return self.finish(self.start(graph))

    def latents(self, graph: Graph, source: list[Any]) -> torch.Tensor:
        """Run a graph and return the LATENT of one of its outputs, unscaled (B, 4, h, w)."""
        save = {"class_type": "SaveLatent", "inputs": {"samples": source, "filename_prefix": uuid.uuid4().hex}}
        history = self.run({**graph, "save": save})
        name = history["outputs"]["save"]["latents"][0]
        return load_file(self.base / "output" / name["subfolder"] / name["filename"])["latent_tensor"]


@contextmanager
def running_server(host: Path, python: Path, base: Path, *flags: str) -> Iterator[Server]:
    """Start a server with only this pack and the probes, on the CPU unless a flag selects another device."""
    for name in ("custom_nodes", "input", "output", "temp", "user", "models/igr"):
        (base / name).mkdir(parents=True, exist_ok=True)
    (base / "custom_nodes" / "igr-garment-restoration").symlink_to(ROOT, target_is_directory=True)
    (base / "custom_nodes" / "probe_nodes").symlink_to(PROBES, target_is_directory=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [*(flags or ("--cpu",)), "--base-directory", base, "--port", port]
    arguments += ["--disable-auto-launch", "--disable-api-nodes"]
    arguments += ["--database-url", "sqlite:///:memory:"]
    if frontend := os.environ.get("COMFYUI_FRONTEND"):  # the folder static/ of another comfyui-frontend-package
        arguments += ["--front-end-root", frontend]
    log = base / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), str(host / "main.py"), *map(str, arguments)],
            cwd=base,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        server = Server(base, port, process, log)
        try:
            _wait(server)
            server.boot_log = log.read_text(errors="replace")
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _wait(server: Server) -> None:
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        try:
            server.get("/queue")
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"ComfyUI did not start: {server.log.read_text(errors='replace')[-3000:]}")
