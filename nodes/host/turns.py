"""Graphs and clicks take turns: ComfyUI's memory management is made for one thread, the one that runs graphs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import comfy.model_management
from server import PromptServer

TURN = threading.RLock()
"""Held by a thread while a segmenter works for it, in a graph or for a click.

Clicks are answered in a thread of their own. A click therefore asks is_running() once it holds this, and gives up
where a graph has begun; what works for the pack's nodes goes through after_click() first, so that it neither meets a
click under way nor a later one. What is left: other nodes of a graph that begins within the seconds of a click may load
their models beside the segmenter, and so may ComfyUI when it frees memory by request.
"""


@contextmanager
def turn() -> Iterator[None]:
    """Hold TURN in a graph, which can be stopped while it waits for a click."""
    while not TURN.acquire(timeout=0.2):
        comfy.model_management.throw_exception_if_processing_interrupted()
    try:
        yield
    finally:
        TURN.release()


def after_click() -> None:
    """Wait for a click under way to end; those that follow find that a graph is running."""
    with turn():
        pass


def is_running() -> bool:
    """Whether graphs run or wait to run."""
    return PromptServer.instance.prompt_queue.get_tasks_remaining() > 0
