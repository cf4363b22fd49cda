"""Opens a report in headless Chromium, goes through it as a reader does, and takes pictures of its pages."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from florilegium.errors import UserError

PATIENCE = 30  # seconds
# Besides size and folder: nothing that Chromium would ask the network for by itself.
SWITCHES = """headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync
disable-component-update hide-scrollbars"""
ROWS = "#app nav tbody tr"  # the entries of a category
# Whether the content area shows the result with that path: a picture that could be decoded, or a page in a frame.
SHOWN = """
const uri = results[arguments[0]].data_uri;
const picture = document.querySelector('#app div.p-3 > img'), frame = document.querySelector('#app iframe');
return picture ? picture.src === uri && picture.complete && picture.naturalWidth > 0 : !!frame && frame.src === uri;
"""


def chromium(profile: str, width: int = 1400, height: int = 1000) -> webdriver.Chrome:
    """Debian's Chromium without a window or a network.

    Args:
        profile: an empty folder.
        width: of the page in pixels.
        height: of the page in pixels.

    Raises:
        UserError: it is not installed.
    """
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        raise UserError(
            "chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in [*SWITCHES.split(), f"user-data-dir={profile}", f"window-size={width},{height}"]:
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def wait(browser: webdriver.Chrome, condition) -> object:
    """Wait until `condition(browser)` is true; returns its value."""
    return WebDriverWait(browser, PATIENCE, poll_frequency=0.05).until(condition)


def _wait_for(browser: webdriver.Chrome, script: str, *values: str | None) -> None:
    wait(browser, lambda page: page.execute_script(script, *values))


def open_report(browser: webdriver.Chrome, path: Path) -> None:
    """Show the first page of a report."""
    browser.get(path.absolute().as_uri())
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, "#app nav"))


def walk(browser: webdriver.Chrome) -> Iterator[tuple[str, str]]:
    """Click every category and every entry below it; yields (category, path of the result) while it is shown."""
    for category in sorted(browser.execute_script("return Object.keys(categories)")):
        for subcategory in sorted(browser.execute_script("return Object.keys(categories[arguments[0]])", category)):
            browser.execute_script("app.setView({navbarMode: 'menu'})")  # a list is made anew only after another view
            wait(browser, lambda page: not page.find_elements(By.CSS_SELECTOR, ROWS))
            place = "{navbarMode: 'subcategory', category: arguments[0], subcategory: arguments[1]}"
            browser.execute_script(f"app.setView({place})", category, subcategory)
            wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, ROWS))
            for number in range(len(browser.find_elements(By.CSS_SELECTOR, ROWS))):
                yield category, _open_entry(browser, number)


def _open_entry(browser: webdriver.Chrome, number: int) -> str:
    before = browser.execute_script("return app.state.resultPath || null")
    row = browser.find_elements(By.CSS_SELECTOR, ROWS)[number]
    browser.execute_script("arguments[0].querySelector('a').click()", row)
    _wait_for(browser, "return app.state.resultPath !== arguments[0]", before)  # each entry is opened once
    path = browser.execute_script("return app.state.resultPath")
    _wait_for(browser, SHOWN, path)
    for frame in browser.find_elements(By.CSS_SELECTOR, "#app iframe"):
        browser.switch_to.frame(frame)
        wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, "body *"))
        browser.switch_to.default_content()
    return path


def main(report: Path, folder: Path, wanted: str) -> None:
    """Write a picture of the first page and of every entry whose path matches `wanted`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = chromium(profile)
        try:
            open_report(browser, report)
            browser.save_screenshot(folder / "start.png")
            for category, path in walk(browser):
                if re.search(wanted, path):
                    name = path.removeprefix("results/").replace("/figures", "").replace("/", "-")
                    browser.save_screenshot(folder / f"{category[0]}-{Path(name).stem}.png")
                    print(name)
        finally:
            browser.quit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="results/report.html")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--only", default=".", help="a regular expression for the paths of the results")
    given = parser.parse_args()
    try:
        main(given.report, given.folder, given.only)
    except UserError as error:
        sys.exit(f"error: {error}")
