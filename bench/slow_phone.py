"""How soon the register of some 450 names can be used on a slow phone: Chromium at a quarter of the
processor's speed.

    python -m bench.slow_phone [--rounds 7]

Milliseconds from the start of the navigation until names stand and take taps (the page's own mark
`register-usable`), of the answer to one letter typed, and of a tap shown. The first visit has nothing
kept; later ones have the files and the service worker, as in a hall. Prints medians and the worst.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, PHONE, chromium, demonstration_ward, end, start_serving
from tests.browser.test_attendance import new_register, open_register

SLOWER = 4
USABLE = "performance.getEntriesByName('register-usable')[0].startTime"
TYPED = """() => {
    const search = document.querySelector("#register-search");
    const before = performance.now();
    search.value = search.value ? "" : "h";
    search.dispatchEvent(new Event("input"));
    document.body.offsetHeight;
    return performance.now() - before;
}"""
TAPPED = """async () => {
    const row = document.querySelector('.person[data-status="not_marked"]');
    const before = performance.now();
    row.querySelector(".person-main").click();
    while (row.dataset.status === "not_marked") await new Promise(requestAnimationFrame);
    return performance.now() - before;
}"""


def main() -> None:
    """Open the register so many times and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        running = demonstration_ward(Path(folder))
        process = start_serving(running)
        try:
            made = new_register(running, members=450)
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
            page = browser.new_context(base_url=running.url, viewport=PHONE).new_page()  # type: ignore[arg-type]  # a plain dict of two sizes
            open_register(page, made)
            address = f"/attendance/{made['id']}"
            page.locator(".register[data-kept]").wait_for()
            slow_down(page)
            figures: dict[str, list[float]] = {"usable": [], "letter typed": [], "tap shown": []}
            for _ in range(rounds):
                page.goto(address, wait_until="commit")
                page.locator(".register[data-started]").wait_for()
                figures["usable"].append(page.evaluate(USABLE))
                page.locator(".register-list[data-ready]").wait_for(state="attached")
                figures["letter typed"].append(page.evaluate(TYPED))
                page.evaluate(TYPED)
                figures["tap shown"].append(page.evaluate(TAPPED))
            for what, times in figures.items():
                tell(what, times)
            browser.close()
        finally:
            end(process)


def slow_down(page: Page) -> None:
    """Let this page have a quarter of the processor."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


def tell(what: str, times: list[float]) -> None:
    """The median, the quickest and the worst of what was measured."""
    found = {
        "median_ms": round(statistics.median(times)),
        "least_ms": round(min(times)),
        "most_ms": round(max(times)),
    }
    print(json.dumps({"what": what, **found}), flush=True)


if __name__ == "__main__":
    main()
