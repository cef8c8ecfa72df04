"""The door that ComfyUI opens: the node pack lies in nodes/."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """Give ComfyUI the pack's extension; imported here, because only the host has what the nodes need."""
    from .nodes.pack import IGRExtension

    return IGRExtension()
