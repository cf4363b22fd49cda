"""The local page of `make app`, used as a person uses it: photographs are dropped, wrong files too."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from support import ROOT

PATIENCE = 60  # seconds; the first heat map waits for torch


@pytest.fixture(scope="module")
def address(small_run):
    """Where the page is served for the networks of the small run."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment |= {"PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tools" / "app.py"), "results", "--port", "8765", "--no-browser"]
    with subprocess.Popen(command, cwd=small_run.folder, env=environment, stdout=subprocess.PIPE, text=True) as served:
        found = re.match(r"(http://127\.0\.0\.1:\d+)/ shows 2 network\(s\) of results", served.stdout.readline())
        wait_for(found[1])
        open_ports = [place for place in psutil.Process(served.pid).net_connections() if place.status == "LISTEN"]
        assert {place.laddr.ip for place in open_ports} == {"127.0.0.1"}
        yield found[1]
        served.send_signal(signal.SIGINT)
        assert served.wait(20) in (0, 130, -signal.SIGINT)
    assert not (small_run.folder / ".nicegui").exists(), "nothing is left in the project"


def wait_for(address):
    """Until the server accepts connections, moments after it has said where it will."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(address, timeout=PATIENCE).close()
            return
        time.sleep(0.05)
    raise TimeoutError(address)


@pytest.fixture
def page(browser, address):
    """A fresh page."""
    browser.get(address)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "input[type=file]"))
    return browser


def wait(page, condition):
    return WebDriverWait(page, PATIENCE).until(lambda _: condition())


def body(page):
    return page.find_element(By.TAG_NAME, "body").text


def upload(page, path):
    page.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(path))


def shown(page, selector):
    return [element.text for element in page.find_elements(By.CSS_SELECTOR, selector)]


def test_a_photograph_is_named_by_every_network_with_latencies_and_heat_maps(page, address, asked, small_run):
    asked()
    upload(page, next((small_run.folder / "results/data/garden/test").rglob("*.jpg")))
    wait(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".heat img")) == 2)
    assert shown(page, ".network h2") == ["MobileNetV2", "ResNet18"]
    files = list((small_run.folder / "results/runs/tiny/resnet18/seed42").glob("model*.onnx"))
    latencies = shown(page, ".latency")
    assert len(latencies) == 2 * len(files)
    assert all(0 < float(text.removesuffix(" ms")) < 1000 for text in latencies)
    names = json.loads((small_run.folder / "results/data/dataset.json").read_text())["class_names"]
    for network in page.find_elements(By.CSS_SELECTOR, ".network"):
        top = [row.text.split("\n") for row in network.find_elements(By.CSS_SELECTOR, ".class")]
        assert sorted(name for name, _ in top) == sorted(names), "five classes: all are among the first five"
        shares = [float(share.removesuffix(" %")) for _, share in top]
        assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.5)
        heat = network.find_element(By.CSS_SELECTOR, ".heat img")
        wait(page, lambda heat=heat: heat.get_property("naturalWidth") > 0)
        assert f"What speaks for {top[0][0]}" in network.text
        assert "not transfer learning" in network.text
    width = page.execute_script("return [document.body.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1], "nothing sticks out"
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    outside = [url for url in asked() if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))]
    assert outside == []


def test_a_file_that_is_no_picture_is_refused_in_one_line(page, tmp_path):
    (tmp_path / "notes.txt").write_text("roses are red")
    upload(page, tmp_path / "notes.txt")
    wait(page, lambda: "notes.txt: no picture, or of a kind that Pillow does not know" in body(page))
    assert shown(page, ".network") == []


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(page, tmp_path):
    with open(tmp_path / "huge.jpg", "wb") as stream:
        stream.truncate(20_000_001)
    upload(page, tmp_path / "huge.jpg")
    wait(page, lambda: "That file is larger than 20 MB; choose a smaller one." in body(page))


def test_after_a_refusal_the_next_photograph_is_named(page, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    upload(page, tmp_path / "broken.jpg")
    wait(page, lambda: "broken.jpg: " in body(page))
    Image.new("RGB", (50, 30), "red").save(tmp_path / "red.png")
    upload(page, tmp_path / "red.png")
    wait(page, lambda: len(shown(page, ".latency")) >= 2)
    assert "broken.jpg" not in body(page)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "elsewhere.example"}, 403),  # another site's name that points to this computer
        ({"Origin": "https://elsewhere.example"}, 403),  # another site's page that calls this one
        ({"Content-Length": str(10**9)}, 413),
    ],
)
def test_other_sites_and_large_bodies_are_refused(address, headers, status):
    request = urllib.request.Request(address, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == status
