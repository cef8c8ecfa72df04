"""HTTP routes on ComfyUI's server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError
from server import PromptServer

from ...igr_core.text import one_line


@dataclass(frozen=True)
class Answer:
    """The response of a route."""

    status: int
    """HTTP status code."""
    body: bytes
    """Body of the response."""
    content_type: str
    """Content type of the body."""
    headers: dict[str, str] | None = None
    """Additional headers."""


def add_route(path: str, answer: Callable[[str, bytes | None], Answer], limit: int, waiting: int) -> None:
    """Answer POST requests with a function of content type and body, one at a time in a separate thread.

    The body is None if it is longer than `limit` bytes, in which case the rest is not read. If `waiting` requests are
    already in progress, further ones are answered with 429.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="igr")
    under_way = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal under_way
        body = await _read(request, limit)
        if under_way >= waiting:
            return web.json_response(
                {"error": "Other clicks are still being processed: try again in a moment."}, status=429
            )
        under_way += 1
        try:
            loop = asyncio.get_running_loop()
            given = await loop.run_in_executor(thread, answer, request.content_type, body)
        finally:
            under_way -= 1
        headers = {name: one_line(value) for name, value in (given.headers or {}).items()}
        return web.Response(status=given.status, body=given.body, content_type=given.content_type, headers=headers)

    PromptServer.instance.routes.post(path)(handle)


def add_file_route(path: str, files: dict[str, Path]) -> None:
    """Serve these files for GET requests to path/NAME."""

    async def handle(request: web.Request) -> web.StreamResponse:
        found = files.get(request.match_info["name"])
        return web.Response(status=404) if found is None else web.FileResponse(found)

    PromptServer.instance.routes.get(f"{path}/{{name}}")(handle)


async def _read(request: web.Request, limit: int) -> bytes | None:
    """The request's body; None if it is longer than `limit`, and empty if it cannot be decoded."""
    if (request.content_length or 0) > limit:
        return None
    body = b""
    try:
        async for piece in request.content.iter_chunked(limit):
            body += piece
            if len(body) > limit:
                return None
    except (web.RequestPayloadError, ContentEncodingError):  # it is not compressed as its header says
        return b""
    return body
