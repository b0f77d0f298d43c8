"""One person in many garments: a contact sheet and an archive."""

import csv
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from tryon.web.files import new_file

MAX_GARMENTS = 24
CELL, CAPTION, GAP = (300, 400), 26, 12
COLUMNS = ("garment", "result", "category", "seed", "checkpoint", "seconds_total", "warnings", "error")


@dataclass(frozen=True)
class Row:
    """One garment's outcome.

    Attributes:
        garment: name of the garment's file.
        result: path of the finished picture; None if it failed.
        info: what is known about the picture.
        error: why there is none.
    """

    garment: str
    result: str | None = None
    info: dict | None = None
    error: str = ""

    def table(self) -> dict:
        """The row as the table and the API give it."""
        info = self.info or {}
        values = {name: info.get(name) for name in COLUMNS}
        values["warnings"] = " ".join(info.get("warnings", []))
        name = self.result and f"{Path(self.garment).stem}-{Path(self.result).name}"
        return {**values, "garment": self.garment, "result": name, "error": self.error}


def contact_sheet(rows: list[Row]) -> Image.Image:
    """All results side by side with the names of their garments, at most four in a row."""
    shown = [row for row in rows if row.result]
    columns = min(4, max(1, len(shown)))
    lines = -(-len(shown) // columns) or 1
    width, height = CELL[0] + GAP, CELL[1] + CAPTION + GAP
    sheet = Image.new("RGB", (columns * width + GAP, lines * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, row in enumerate(shown):
        left, top = GAP + number % columns * width, GAP + number // columns * height
        with Image.open(row.result) as image:
            sheet.paste(ImageOps.fit(image.convert("RGB"), CELL, centering=(0.5, 0.2)), (left, top))
        draw.text((left + 4, top + CELL[1] + 4), Path(row.garment).stem[:34], fill="#444", font=font)
    return sheet


def archive(rows: list[Row], sheet: str) -> str:
    """A zip with the results at full size, the contact sheet and the table; returns its path."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows(row.table() for row in rows)
    path = new_file("try-on.zip")
    with zipfile.ZipFile(path, "w") as file:  # stored: pictures do not get smaller
        for row in rows:
            if row.result:
                file.write(row.result, row.table()["result"])
        file.write(sheet, "contact_sheet" + Path(sheet).suffix)
        file.writestr("table.csv", table.getvalue())
        file.writestr("table.json", json.dumps([row.table() for row in rows], indent=1))
    return str(path)
