"""The report, opened as a person opens it: in a browser, from the file."""

import json
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 30  # seconds


def body(browser):
    return browser.find_element(By.TAG_NAME, "body").text


def test_the_report_opens_with_its_categories_and_without_errors(browser, small_run):
    browser.get((small_run.folder / "results" / "report.html").as_uri())
    WebDriverWait(browser, PATIENCE).until(lambda page: "Comparison" in body(page))
    for category in ("Comparison", "Networks", "Data", "Provenance"):
        assert category in body(browser)
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


def test_the_report_asks_the_network_for_nothing(browser, asked, small_run):
    browser.get((small_run.folder / "results" / "report.html").as_uri())
    WebDriverWait(browser, PATIENCE).until(lambda page: "Comparison" in body(page))
    assert [url for url in asked() if url.startswith("http")] == []


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
