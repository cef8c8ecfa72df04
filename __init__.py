"""Entry point for ComfyUI; the nodes are in nodes/."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """Return the pack's extension; imported here because the nodes' imports only exist inside ComfyUI."""
    from .nodes.pack import IGRExtension

    return IGRExtension()
