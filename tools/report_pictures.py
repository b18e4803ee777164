"""Makes the docs' pictures: `python -m tools.report_pictures REPORT.JSON`, with the report of a real rehearsal.

Needs Chromium, and makes smaller files with pngquant. The page uses its reader's own font; Inter stands for it here
where it is installed, because a server's default is nobody's.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from migration.report import page
from tools import chromium
from tools.example_report import example

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def main() -> None:
    real = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    IMAGES.mkdir(exist_ok=True)
    take(real, "report-desktop.png", width=1280, height=1240)
    take(real, "report-desktop-dark.png", width=1280, height=1240, dark=True)
    take(real, "report-phone.png", width=390, height=1180, scale=2)
    take(example(), "report-example.png", width=1280)


def take(
    report: dict[str, Any], name: str, *, width: int, height: int | None = None, dark: bool = False, scale: float = 1.5
) -> None:
    """A picture of a report's first `height` pixels; `scale` pixels for each of them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(page.render(report).replace("system-ui,", "Inter, system-ui,"), encoding="utf-8")
        with chromium.opened(file, width, dark=dark, scale=scale) as seen:
            (IMAGES / name).write_bytes(seen.picture(height))
    if shutil.which("pngquant"):
        command = ["pngquant", "--force", "--strip", "--ext", ".png", "--speed", "1", "64", str(IMAGES / name)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
