"""``report.html`` in a real browser: nothing is requested, nothing is logged, all can read it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

WIDTHS = (360, 820, 1440)
_FLAGS = (
    *("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "hide-scrollbars"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
    "disable-quic",
    # Nothing leaves this computer, whatever the page requests.
    "host-resolver-rules=MAP * ~NOTFOUND",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Debian's Chromium without a screen."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*_FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        service = webdriver.ChromeService("/usr/bin/chromedriver")
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()


@pytest.fixture
def page(browser: webdriver.Chrome, package: Path) -> webdriver.Chrome:
    """The report of a package, opened from the disk."""
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get((package / "report.html").as_uri())
    return browser


def requested(browser: webdriver.Chrome) -> list[str]:
    """The addresses on the network that were requested since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in urls if url.startswith(("http", "ws"))]


def theme(browser: webdriver.Chrome, **features: str) -> None:
    """Let the page be seen as *features* say, such as ``prefers_color_scheme="dark"``."""
    media = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})


def test_the_page_opens_from_the_disk_and_requests_nothing(page: webdriver.Chrome) -> None:
    assert page.find_element(By.TAG_NAME, "h1").text
    assert requested(page) == []
    assert page.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(page: webdriver.Chrome, scheme: str) -> None:
    theme(page, prefers_color_scheme=scheme)
    page.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text("utf-8"))
    found: dict[str, Any] = page.execute_async_script("axe.run().then(arguments[0])")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert found["passes"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_every_width(
    page: webdriver.Chrome, width: int, package: Path, tmp_path: Path
) -> None:
    theme(page, prefers_color_scheme="light")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    picture = tmp_path / f"{package.name}-{width}.png"
    assert page.get_screenshot_as_file(str(picture))
    assert picture.stat().st_size > 10_000
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_first_tab_skips_to_the_content(page: webdriver.Chrome) -> None:
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = page.switch_to.active_element
    assert focused.get_attribute("href").endswith("#content")
    summary = page.find_element(By.CSS_SELECTOR, "summary")
    summary.send_keys(Keys.ENTER)
    assert summary.find_element(By.XPATH, "..").get_attribute("open") is not None


def test_a_picture_is_requested_by_a_click_only(browser: webdriver.Chrome, harvested: Path) -> None:
    browser.get((harvested / "dmg" / "report.html").as_uri())
    links = browser.find_elements(By.CSS_SELECTOR, "a[data-picture]")
    assert links
    address = links[0].get_attribute("href")
    assert requested(browser) == []
    links[0].send_keys(Keys.ENTER)
    assert requested(browser) == [address]
    messages = [entry["message"] for entry in browser.get_log("browser")]
    assert not [message for message in messages if "Content Security Policy" in message]


def test_nothing_of_the_page_is_missing_on_paper(page: webdriver.Chrome) -> None:
    printed = page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(printed["data"]) > 20_000
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = "return getComputedStyle(document.querySelector('nav')).display"
    assert page.execute_script(hidden) == "none"
    closed = page.find_element(By.CSS_SELECTOR, "details:not([open]) td")
    assert page.execute_script("return arguments[0].checkVisibility()", closed)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
