"""The contact sheet: text from files is shown, but never executed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from igr_core.catalogue.report.contact_sheet import contact_sheet
from igr_core.catalogue.report.outcome import FAILED, RESTORED, Outcome
from tests.support.browser import browser_page

pytest.importorskip("jinja2", reason="only the extra `catalogue` writes contact sheets")

EVIL = "</script><img src=x onerror=alert(1)>\x1b[31m"


def data_of(page: str) -> list[dict]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_a_name_cannot_end_the_script_or_add_an_element() -> None:
    page = contact_sheet([Outcome(EVIL, FAILED, EVIL, error=EVIL)], EVIL)
    assert "<img src=x" not in page and "\x1b" not in page
    assert page.count("<script") == 2
    (line,) = data_of(page)
    assert line["name"] == EVIL.replace("\x1b", "\\x1b")


def test_links_are_relative_and_only_garments_that_exist_have_one() -> None:
    done = Outcome("a b#1", RESTORED, "p.jpg", image="garments/a b#1.png", evidence_map="evidence/a b#1.png")
    failed, good = data_of(contact_sheet([done, Outcome("A", FAILED, "p.jpg", error="Gone: look.")], "shop"))
    assert failed["thumbnail"] == failed["image"] == ""
    assert good["image"] == "garments/a%20b%231.png" and good["thumbnail"] == "thumbnails/a%20b%231.webp"
    assert good["map"] == "evidence/a%20b%231.png"


def test_the_page_counts_each_status_and_loads_nothing_from_elsewhere() -> None:
    page = contact_sheet([Outcome("a", RESTORED, ""), Outcome("b", RESTORED, ""), Outcome("c", FAILED, "")], "shop")
    assert "all (3)" in page and "restored (2)" in page and "failed (1)" in page
    assert "http://" not in page and "https://" not in page


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        contact_sheet([Outcome("a", RESTORED, "", evidence=float("nan"))], "shop")


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser_page() as opened:
        yield opened


def test_cards_are_sorted_filtered_and_shown_in_parts(page: Any, tmp_path: Path) -> None:
    """130 garments: the first has full evidence, every third has a warning, and the last failed and is named like an
    HTML element."""
    outcomes = [
        Outcome(
            f"g{number:03}",
            RESTORED,
            "p.jpg",
            evidence=None if number == 5 else 1 - number / 200,
            warnings="The mask is small." if number % 3 == 0 else "",
        )
        for number in range(129)
    ]
    (tmp_path / "sheet.html").write_text(
        contact_sheet([*outcomes, Outcome(EVIL, FAILED, "gone.jpg", error="gone.jpg does not exist.")], "shop"),
        encoding="utf-8",
    )
    page.goto((tmp_path / "sheet.html").as_uri())
    dialogs: list[Any] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))

    def shown() -> list[str]:
        return page.evaluate("() => [...document.querySelectorAll('h2')].map((one) => one.firstChild.data)")

    assert len(shown()) == 120 and page.locator("#count").inner_text() == "120 of 130 shown"
    page.get_by_role("button", name="Show more").click()
    assert len(shown()) == 130 and page.get_by_role("button", name="Show more").is_hidden()
    page.get_by_label("Status", exact=True).select_option(FAILED)
    assert shown() == [EVIL.replace("\x1b", "\\x1b")] and page.get_by_text("gone.jpg does not exist.").is_visible()
    page.get_by_label("Status", exact=True).select_option("")
    page.get_by_label("Find").fill("SMALL")
    assert shown() == [f"g{number:03}" for number in range(0, 129, 3)]
    page.get_by_label("Find").fill("")
    page.get_by_label("with warnings or errors").check()
    assert len(shown()) == 44  # 43 warnings and an error
    page.get_by_label("with warnings or errors").uncheck()
    page.get_by_label("Sort by").select_option("evidence")
    page.get_by_role("button", name="Show more").click()
    assert shown()[:2] == ["g128", "g127"] and set(shown()[-2:]) == {"g005", EVIL.replace("\x1b", "\\x1b")}
    assert not dialogs
