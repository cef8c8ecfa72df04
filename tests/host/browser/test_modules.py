"""ComfyUI loads every module of web/js as an extension: only the entry module has side effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.host.server import ROOT, Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

PACK = "/extensions/igr-garment-restoration/"


def modules(server: Server) -> list[str]:
    """Addresses of the pack's modules as the frontend receives them."""
    return sorted(path for path in server.get("/extensions") if path.startswith(PACK))


def test_the_frontend_lists_every_module(server: Server) -> None:
    files = [path.relative_to(ROOT / "web").as_posix() for path in (ROOT / "web").rglob("*.js")]
    assert modules(server) == sorted(PACK + name for name in files)


def test_one_extension_is_registered(page: Page) -> None:
    count = "() => window.app.extensions.filter((one) => one.name === 'igr.segment').length"
    assert page.evaluate(count) == 1


def test_a_module_that_is_loaded_again_changes_nothing(page: Page, server: Server) -> None:
    script = """async (paths) => {
        const state = () => [window.app.extensions.length, Object.getOwnPropertyNames(window).sort()];
        const before = state();
        for (const path of paths) await import(`${path}?again`);  // an address of its own: the module runs anew
        return [before, state()];
    }"""
    before, after = page.evaluate(script, [path for path in modules(server) if not path.endswith("/entry.js")])
    assert before == after
