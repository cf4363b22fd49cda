"""The report, opened as a person opens it: in a browser, from the file."""

import json
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from report_pictures import open_report, walk


def body(browser):
    return browser.find_element(By.TAG_NAME, "body").text


@pytest.fixture
def report(small_run):
    return small_run.folder / "results" / "report.html"


def test_every_category_and_every_entry_opens_without_an_error_or_a_request(browser, asked, report):
    open_report(browser, report)
    opened = list(walk(browser))
    listed = browser.execute_script("return Object.keys(results)")
    assert sorted(path for _, path in opened) == sorted(listed)
    assert {category[0] for category, _ in opened} == set("1234567")
    assert {Path(path).suffix for path in listed} == {".png", ".html"}, "nothing that is only offered for download"
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert [url for url in asked() if url.startswith("http")] == []


def test_the_first_page_has_the_answer_the_numbers_of_the_metrics_files_and_a_figure(browser, report):
    open_report(browser, report)
    shown = body(browser)
    selection = json.loads((report.parent / "comparison" / "selection.json").read_text())
    assert selection["headline"] in shown and "it is not transfer learning" in shown
    assert [sentence for sentence in selection["sentences"] if sentence not in shown] == []
    rows = [row.text for row in browser.find_elements(By.CSS_SELECTOR, ".start tbody tr, .start table tr")][1:]
    assert len(rows) == 2
    for path in (report.parent / "runs").rglob("metrics.json"):
        metrics = json.loads(path.read_text())
        test = metrics["test"]
        numbers = [f"{100 * value:.1f} %" for value in (metrics["val"]["top1"], test["top1"], test["mean_per_class"])]
        numbers += [f"({100 * test['top1_low']:.1f} – {100 * test['top1_high']:.1f})", metrics["weights"]]
        assert any(all(number in row for number in numbers) for row in rows), metrics["architecture"]
    picture = browser.find_element(By.CSS_SELECTOR, ".start img")
    assert picture.get_property("naturalWidth") > 0
    table = browser.find_element(By.CSS_SELECTOR, ".start .scroll")
    assert table.get_property("scrollWidth") <= table.get_property("clientWidth"), "the table is not cut"


@pytest.mark.parametrize("page", ["table", "selection", "lesson", "provenance"])
def test_pages_are_readable_on_dark_and_on_light(browser, report, page):
    """Text and ground differ by at least 7:1, the contrast of WCAG's level AAA."""
    names = {"lesson": "lessons/resnet18.html", "provenance": "provenance.html"}
    browser.get((report.parent / names.get(page, f"comparison/{page}.html")).as_uri())
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        colours = "const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
        text, ground = (luminance(colour) for colour in browser.execute_script(colours))
        assert (text < ground) == (scheme == "light")
        assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 7
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def luminance(colour):
    """Relative luminance, 0 … 1, of `rgb(r, g, b)` (WCAG 2.1)."""
    shares = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_audit_is_in_the_report_and_shows_the_photographs(browser, small_run):
    browser.get((small_run.folder / "results" / "data" / "audit.html").as_uri())
    assert "95 photographs of 5 classes can be trained on" in body(browser)
    pictures = browser.find_elements(By.TAG_NAME, "img")
    assert len(pictures) >= 5
    assert all(picture.get_property("naturalWidth") > 0 for picture in pictures)
    width = browser.execute_script("return [document.body.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1], "nothing sticks out"
    report = (small_run.folder / "results" / "report.html").read_text(encoding="utf-8")
    assert "audit of the photographs" in report


def test_the_table_shows_the_numbers_of_the_metrics_files(browser, small_run):
    browser.get((small_run.folder / "results" / "comparison" / "table.html").as_uri())
    shown = body(browser)
    for path in Path(small_run.folder / "results" / "runs").rglob("metrics.json"):
        metrics = json.loads(path.read_text())
        for number in ("top1", "top5", "mean_per_class"):
            assert f"{100 * metrics['test'][number]:.1f} %" in shown
        assert metrics["weights"] in shown
    assert "is what validation chooses" in shown
    assert "not transfer learning" in shown
