"""The README's picture: the first screen of the page of a run with a mistake, by `python -m benchmarks.screenshot`; it needs Chromium."""

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from backproof import check

ROOT = Path(__file__).parent.parent
TARGET, SEED = "examples/numpy_mistakes.py:derivative_at_the_activation", 1
SIZE = {"width": 1120, "height": 640}
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def screenshot(page: str, picture: Path, scheme: str = "light") -> None:
    """Open a page and take its first screen."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        tab = browser.new_page(viewport=SIZE, color_scheme=scheme)
        tab.goto(file.as_uri())
        tab.screenshot(path=picture)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "page.png")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    options = parser.parse_args()
    screenshot(check(TARGET, seed=SEED).html(), options.picture, options.scheme)
    print(f"{options.picture}: {options.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
