"""The review page of a curation in a real browser: view, decide, save, apply."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.browser import browser_page
from tests.support.training.judged import judged
from training.cli.app import app
from training.curation.judging import SCORES
from training.curation.manifest import decide, read_manifest, write_manifest
from training.curation.page import CARDS, write_page
from training.curation.scores import CurationConfig

COUNT = CARDS + 10


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser_page() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A curation with made-up scores: pair 0 is the best, the last is truncated, and one is named like an HTML tag."""
    pairs = [judged(f"p{i:03d}", truncated=i / COUNT / 20, place=i) for i in range(COUNT - 2)]
    pairs += [judged("</script><b>x", truncated=0.5, place=COUNT), judged("worst", truncated=0.9, place=COUNT + 1)]
    config = CurationConfig()
    lines = [{"title": "drawn & numbered"}, *map(asdict, pairs)]
    (tmp_path / SCORES).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    manifest = decide(pairs, {}, config, "drawn & numbered", 0.2)
    write_manifest(tmp_path, manifest)
    write_page(tmp_path, manifest)
    return tmp_path


def name_of_focused(page) -> str:
    return page.evaluate("() => document.activeElement.dataset.name ?? ''")


def test_decisions_made_by_keys_are_saved_kept_and_applied(page, folder):
    page.goto((folder / "index.html").as_uri())
    cards = page.get_by_role("listitem")
    assert cards.count() == CARDS
    assert cards.first.get_attribute("data-name") == "worst"
    assert cards.nth(1).get_attribute("data-name") == "</script><b>x"
    page.keyboard.press("k")  # worst: keep
    page.keyboard.press("d")  # the odd name: drop
    third = name_of_focused(page)
    page.keyboard.press("ArrowRight")
    fourth = name_of_focused(page)
    page.keyboard.press("d")
    page.keyboard.press("u")
    assert name_of_focused(page) == fourth
    page.keyboard.press("ArrowLeft")
    assert name_of_focused(page) == third
    page.keyboard.press("D")

    page.reload()  # earlier decisions are kept
    assert "You keep it" in page.get_by_role("listitem").first.inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save decisions").click()
    saved = folder / "saved.json"
    download.value.save_as(saved)
    assert json.loads(saved.read_text())["decisions"] == {"worst": "keep", "</script><b>x": "drop", third: "drop"}

    before = read_manifest(folder)
    assert "worst" not in before.kept_names() and third in before.kept_names()
    result = CliRunner().invoke(app, ["curate", "apply", str(folder), str(saved)])
    assert result.exit_code == 0, result.output
    after = read_manifest(folder)
    assert "worst" in after.hqft_names() and third not in after.kept_names()
    assert fourth in after.kept_names()


def test_filter_and_pages(page, folder):
    page.goto((folder / "index.html").as_uri())
    page.get_by_role("button", name="Next page").click()
    assert page.get_by_role("listitem").count() == COUNT - CARDS
    page.keyboard.press("ArrowLeft")  # from the first card of a page to the last card of the previous page
    assert page.get_by_role("listitem").count() == CARDS
    page.get_by_label("Show").select_option("truncated")
    assert page.get_by_role("listitem").count() == 2
    page.get_by_label("Show").select_option("occluded")
    assert page.get_by_role("listitem").count() == 0
    assert page.get_by_text("No pairs match this filter.").is_visible()


def test_page_names_its_parts(page, folder):
    page.goto((folder / "index.html").as_uri())
    assert page.title() == "Curation of drawn & numbered"
    assert page.get_by_role("list", name="Pairs, the worst first").is_visible()
    assert page.get_by_role("button", name="Keep worst").get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Keep worst").click()
    assert page.get_by_role("button", name="Keep worst").get_attribute("aria-pressed") == "true"
    unnamed = "() => [...document.images].filter((one) => !one.alt || one.loading !== 'lazy').length"
    assert page.evaluate(unnamed) == 0
