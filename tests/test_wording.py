"""Wordings that are ruled out by the glossary (docs/glossary.md) or by plain English, each with a replacement."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
THIS = Path(__file__).relative_to(ROOT).as_posix()
TEXTS = {".css", ".html", ".j2", ".js", ".json", ".md", ".mjs", ".py", ".svg", ".toml", ".yaml", ".yml"}
PRODUCT = ("igr_core/", "nodes/", "web/", "workflows/", "subgraphs/", "README.md")
"""Files with texts for users, in which an image is never called a picture."""
EVERYWHERE = (*PRODUCT, "docs/", "training/", "CHANGELOG.md", "Makefile", "pyproject.toml")
LIBRARY = ("igr_core/", "training/", "docs/", "README.md", "CHANGELOG.md")
"""Everything except the nodes, their help and their workflows."""
RULES: list[tuple[str, str, tuple[str, ...]]] = [
    (r"\b(?:is|are|was|were) told\b|\btold surer\b", "is reported, is detected", EVERYWHERE),
    (r"\basks? of (?:a|an|the)\b", "needs, requires", EVERYWHERE),
    (
        r"(?<!here )\b(?:is|are) no (?:bundle|file|folder|image|json|list|mask|number|picture|video)\b",
        "is not a",
        EVERYWHERE,
    ),
    (r"(?<!here )\b(?:is|are) (?-i:none)\b", "is missing, is empty, is invalid", EVERYWHERE),
    (r"\bas (?:it|they|things) lies?\b", "unchanged", EVERYWHERE),
    (r"\bnone of both\b", "neither", EVERYWHERE),
    (r"\bits kind\.", "a noun: content type, category", EVERYWHERE),
    (r"\bis not there\b", "does not exist", EVERYWHERE),
    (r"\banew\b", "again", EVERYWHERE),
    (r"\bwarn(?:s|ed)? of\b", "warn about", EVERYWHERE),
    (r"\bsays? something\b|\bmemory_told\b", "a verb that names what happens", EVERYWHERE),
    (r"\bspoil(?:s|ed|er|ers|ing)?\b", "corrupt", EVERYWHERE),
    (r"\btold\b(?! apart)", "printed, reported, logged, recorded; a name for what a variable holds", LIBRARY),
    (r"\bGB are\b", "GB is", EVERYWHERE),
    (
        r"\d %(?=[,.;:)|]| (?:and|at|bad|in|is|labels|larger|of|off|or|other|smaller|to)\b)",
        "the sign right after",
        EVERYWHERE,
    ),
    (r"\b(?:as a|this|the|a) share of (?:a|an|each|its|the|their)\b", "a fraction of", LIBRARY),
    (r"\basked for\b", "requested", LIBRARY),
    (r"\bholds? (?:no|none)\b", "contains no", LIBRARY),
    (r"; gives (?!\d)", "returns", LIBRARY),
    (
        r"\bwhether of\b|\bof another kind\b|\bmade alike\b|\bscored? (?:them )?alike\b",
        "the same, another type",
        LIBRARY,
    ),
    (r"\bthrice\b", "three times", EVERYWHERE),
    (r"\bas before\b", "unchanged, again", LIBRARY),
    (r"\bpictures?\b", "image (photo for the user's image of a person)", PRODUCT),
]
"""Pattern, matched without case; what to write instead; prefixes of the paths that it applies to."""


def texts() -> dict[str, str]:
    """The tracked text files by their path from the root, without this one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split("\0") if Path(name).suffix in TEXTS and name != THIS]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in names if (ROOT / name).is_file()}


@pytest.mark.parametrize(("pattern", "instead", "rooms"), RULES, ids=[rule[0] for rule in RULES])
def test_wordings_of_the_glossary(pattern: str, instead: str, rooms: tuple[str, ...]) -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}"
        for name, text in texts().items()
        if name.startswith(rooms)
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    assert not found, f"write {instead}: " + ", ".join(found)
