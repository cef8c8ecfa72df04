"""Documentation pages and their contents: links, headings, paths, commands."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "training" / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("web/docs/*.md")]
)
ROOMS = ("docs", "igr_core", "nodes", "subgraphs", "tests", "training", "web", "workflows")
_LINK = re.compile(r"(?:\]\(|<img src=\")(?!https?:)([^)\"\s]*)[)\"]")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_MODULE = re.compile(r"-m\s+(?:--\s+)?(training|igr_core)\b(?!\.)(.*)", re.DOTALL)


def label(page: Path) -> str:
    """A page's path from the root."""
    return page.relative_to(ROOT).as_posix()


def links(page: Path) -> list[str]:
    """Targets of the links that lead to files of the repository or to headings, images too."""
    return _LINK.findall(_without_blocks(page))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.+)$", _without_blocks(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return names


def paths(page: Path) -> set[str]:
    """Paths from the root that code on a page names, without placeholders, patterns and COMMIT:PATH."""
    text = page.read_text(encoding="utf-8")
    room = rf"(?<![\w./~-])(?<![0-9a-f]{{7}}:)((?:{'|'.join(ROOMS)})/[\w./-]*[\w/])"
    code = [*(block for _, block in _FENCE.findall(text)), *_SPAN.findall(_without_blocks(page))]
    return {found for one in code for found in re.findall(rf"{room}(?![\w*{{$<…])", one)}


def shell_commands(page: Path) -> list[list[str]]:
    """Words after `python -m`, one list for each command in the page's sh blocks that runs one of our modules."""
    blocks = [block for language, block in _FENCE.findall(page.read_text(encoding="utf-8")) if language == "sh"]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := _ours(line)) is not None]


def named_commands(page: Path) -> list[list[str]]:
    """The same for commands in running text, which may omit their arguments."""
    spans = [span.replace("\n", " ") for span in _SPAN.findall(_without_blocks(page))]
    return [words for span in spans if (words := _ours(span)) is not None]


def set_entries(page: Path) -> list[str]:
    """ENTRY=VALUE of every `--set` on a page, placeholders in capitals and shell variables left out."""
    found = re.findall(r"--set[ =]\"?([a-z][\w.]*=[^\s`\"\\]+)", page.read_text(encoding="utf-8"))
    return [entry for entry in found if "$" not in entry and "..." not in entry]


def make_targets(page: Path) -> set[str]:
    """Targets of the Makefile that code on a page names."""
    blocks = [text for _, text in _FENCE.findall(page.read_text(encoding="utf-8"))]
    target = re.compile(r"^make (?:[A-Z]+=\S+ )*([a-z][a-z-]*)", re.MULTILINE)
    return {found for code in [*blocks, *_SPAN.findall(_without_blocks(page))] for found in target.findall(code)}


def block(page: Path, name: str) -> str:
    """Text of a page between `<!-- NAME -->` and `<!-- /NAME -->`."""
    found = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1, f"{label(page)} must hold <!-- {name} --> and <!-- /{name} --> once."
    return found[0]


def _without_blocks(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _ours(command: str) -> list[str] | None:
    found = _MODULE.search(command)
    if found is None or "#" in command[: found.start()]:
        return None
    rest = re.split(r"\s#|[;|&']", found[2])[0].replace("...", "").replace("…", "")
    return [found[1], *shlex.split(rest)]
