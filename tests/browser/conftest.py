"""A browser for every page that the workflow makes or serves."""

import json
import shutil

import pytest
from selenium import webdriver

from support import skip_or_fail


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium of the system, without any network."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        skip_or_fail("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("chromium")
    switches = (
        "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync"
    )
    for switch in [*switches.split(), "disable-component-update", f"user-data-dir={profile}", "window-size=1400,1000"]:
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield session
    session.quit()


@pytest.fixture
def asked(browser):
    """A function: the addresses that pages asked for since it was called last."""

    def addresses():
        messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    return addresses
