"""Builds what the portal serves beside its pages, from `hub/portal/assets/` and the packages locked there.

    python scripts/vendor_portal.py [--check]

Wants Node with npm; whoever installs or runs the portal does not, because what comes of it is kept in
`hub/portal/static/`, with `VENDOR.json`: which packages, under which licences, made which bytes. With `--check`
nothing is written, and the exit code is 1 if what is kept is not what comes of it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "hub" / "portal" / "assets"
STATIC = ROOT / "hub" / "portal" / "static"
# What is in the bytes; the others only build.
SHIPPED = ("govuk-frontend", "htmx.org")
LICENCE_NAMES = ("LICENSE", "LICENSE.txt", "LICENCE", "LICENSE.md")


def build(work: Path) -> dict[str, bytes]:
    """The files that are served, by name, made in the empty folder *work*."""
    for name in ("package.json", "package-lock.json", "portal.scss"):
        shutil.copy(ASSETS / name, work)
    for script in ASSETS.glob("*.js"):
        shutil.copy(script, work)
    _run(work, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    tools = work / "node_modules" / ".bin"
    sass = ("--load-path=node_modules", "--style=compressed", "--no-source-map", "--quiet-deps")
    _run(work, str(tools / "sass"), *sass, "portal.scss", "portal.css")
    target = ("--minify", "--target=es2021", "--legal-comments=none")
    _run(work, str(tools / "esbuild"), "portal.js", "--bundle", "--format=iife", *target, "--outfile=built.js")
    _run(work, str(tools / "esbuild"), "early.js", *target, "--outfile=first.js")
    found = {
        "portal.css": (work / "portal.css").read_bytes(),
        "portal.js": (work / "built.js").read_bytes(),
        "early.js": (work / "first.js").read_bytes(),
        "icon.svg": (ASSETS / "icon.svg").read_bytes(),
    }
    packages, notices = [], []
    for name in SHIPPED:
        folder = work / "node_modules" / name
        about = json.loads((folder / "package.json").read_text("utf-8"))
        lock = json.loads((work / "package-lock.json").read_text("utf-8"))["packages"][f"node_modules/{name}"]
        packages.append(
            {
                "name": name,
                "version": about["version"],
                "licence": about["license"],
                "integrity": lock["integrity"],
            }
        )
        # A package may leave its notice to its repository.
        known = [ASSETS / "notices" / f"{name}.txt", *(folder / one for one in LICENCE_NAMES)]
        text = next(path for path in known if path.exists())
        notices.append(f"{name} {about['version']}\n\n{text.read_text('utf-8').strip()}\n")
    found["licences.txt"] = "\n\n".join(notices).encode()
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(found.items())}
    found["VENDOR.json"] = (json.dumps({"packages": packages, "sha256": digests}, indent=2) + "\n").encode()
    return found


def main(arguments: list[str]) -> int:
    """Build, and write or compare."""
    with tempfile.TemporaryDirectory() as folder:
        made = build(Path(folder))
    if "--check" in arguments:
        kept = {path.name: path.read_bytes() for path in STATIC.iterdir()}
        wrong = sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))
        for name in wrong:
            print(f"{name}: not what `python scripts/vendor_portal.py` makes", file=sys.stderr)  # noqa: T201 - a script
        return 1 if wrong else 0
    shutil.rmtree(STATIC, ignore_errors=True)
    STATIC.mkdir(parents=True)
    for name, data in made.items():
        (STATIC / name).write_bytes(data)
        print(f"{name}: {len(data):,} bytes")  # noqa: T201 - a script
    return 0


def _run(work: Path, *command: str) -> None:
    subprocess.run(command, cwd=work, check=True)  # noqa: S603 - npm, and what it installed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
