"""Takes the pictures of the portal that `docs/portal.md` shows, of a demonstration that is being served.

    python scripts/portal_pictures.py http://127.0.0.1:8080 var

Wants Chromium (`tests/services/install`). The second argument is the demonstration's home, where its password and its
tampered licence lie. Pictures have few colours and are small: they are kept in the repository.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.services import chromium  # noqa: E402 - found only now

if TYPE_CHECKING:
    from playwright.sync_api import Page

TARGET = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1200, 820
COLOURS = 48
# Name of the picture, who looks ("" for nobody), the page.
PICTURES = (
    ("home", "wang", "/"),
    ("catalogue", "wang", "/catalogue?q=驾照"),
    ("board", "", "/board"),
    ("ingestion", "zhou", "/ingestion"),
    ("verify", "", "/verify"),
    ("audit", "feng", "/audit"),
    ("overview", "zheng", "/overview"),
)


def main(url: str, home: Path) -> int:
    """Take them all."""
    TARGET.mkdir(exist_ok=True)
    password = (home / "portal-password").read_text()
    tampered = home / "demo" / "tampered.licence.json"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium.program(), args=chromium.FLAGS)
        for lang, locale in (("zh", "zh-CN"), ("en", "en-GB")):
            for name, login, path in PICTURES:
                with browser.new_context(locale=locale, viewport={"width": WIDTH, "height": HEIGHT}) as context:
                    page = context.new_page()
                    if login:
                        _sign_in(page, url, login, password)
                    page.goto(url + path)
                    if name == "verify":
                        page.set_input_files("#file", tampered)
                        page.locator("main form button[type=submit]").first.click()
                        page.wait_for_load_state()
                    _keep(page, TARGET / f"{name}.{lang}.png")
    return 0


def _sign_in(page: Page, url: str, login: str, password: str) -> None:
    page.goto(f"{url}/sign-in")
    page.fill("#login", login)
    page.fill("#password", password)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()


def _keep(page: Page, file: Path) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), Path(sys.argv[2])))
