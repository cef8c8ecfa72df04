"""Workflows and clicks take turns, because ComfyUI's memory management only supports the thread that runs workflows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import comfy.model_management
from server import PromptServer

TURN = threading.RLock()
"""Held by a thread while it runs a segmenter, in a workflow or for a click.

Clicks are processed in a separate thread. A click therefore checks is_running() once it holds the lock, and gives up if
a workflow has started. The pack's nodes call after_click() before they use a network, so that they never run at the
same time as a click. This does not cover other packs' nodes in a workflow that starts during a click, or a request to
ComfyUI to free memory; either may load or unload models while the segmenter runs.
"""


@contextmanager
def turn() -> Iterator[None]:
    """Hold TURN in a workflow, which can be interrupted while it waits for a click."""
    while not TURN.acquire(timeout=0.2):
        comfy.model_management.throw_exception_if_processing_interrupted()
    try:
        yield
    finally:
        TURN.release()


def after_click() -> None:
    """Wait until a click in progress has finished; later clicks notice that a workflow is running."""
    with turn():
        pass


def is_running() -> bool:
    """Whether workflows are running or queued."""
    return PromptServer.instance.prompt_queue.get_tasks_remaining() > 0
