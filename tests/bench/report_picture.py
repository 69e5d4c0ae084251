"""Take a picture of the first frontier plot of a report, as the README shows it.

    .venv/bin/python tests/bench/report_picture.py sweeps/demo/report/report.html docs/frontier.png

It needs a Chromium, like the tests of the report's page. The picture has the page's own plot and legends, at
twice the size of a screen, so that it is sharp on any display.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser import chromium, tab

# The box around the legends and the plot of the first figure in pixels of the page, with a margin.
BOX = """(() => {
    const figure = document.querySelector('.js-plotly-plot').closest('figure');
    figure.querySelectorAll('.choice, figcaption, .modebar-container').forEach((part) => part.remove());
    const box = figure.getBoundingClientRect();
    return {x: box.x + scrollX - 12, y: box.y + scrollY - 12, width: box.width + 24, height: box.height + 24};
})()"""


def main(report: Path, picture: Path) -> None:
    binary = chromium()
    if binary is None:
        raise SystemExit("there is no Chromium on this machine -> install one, or set FRONTIER_CHROMIUM")
    with tab(binary) as page:
        page.resize(960, 900)
        page.open(report.resolve().as_uri())
        page.emulate()
        clip = {**page.evaluate(BOX), "scale": 2}
        page.painted()
        image = page.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)[
            "data"
        ]
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(base64.b64decode(image))
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
