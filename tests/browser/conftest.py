"""A browser for every page that the workflow makes or serves."""

import json

import pytest

from florilegium.errors import UserError
from report_pictures import chromium
from support import skip_or_fail


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium of the system, without any network."""
    try:
        session = chromium(str(tmp_path_factory.mktemp("chromium")))
    except UserError as error:
        skip_or_fail(str(error))
    yield session
    session.quit()


@pytest.fixture
def asked(browser):
    """A function: the addresses that pages asked for since it was called last."""

    def addresses():
        messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    return addresses
