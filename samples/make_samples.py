"""Makes the 27 PDFs of `samples/pdfs`: the same bytes at each run.

    .venv/bin/python samples/make_samples.py

Of various sizes, some with pictures, some in Chinese, Japanese and Arabic; one is corrupt, one needs a password. The fonts for
those scripts are subsets of Noto (SIL Open Font License, beside them) with just the characters used here.
"""

import io
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import EncryptionMethod
from PIL import Image

HERE = Path(__file__).parent
MADE = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [
    "rain",
    "valley",
    "station",
    "morning",
    "record",
    "north",
    "river",
    "bridge",
    "winter",
    "measure",
    "letter",
    "harbour",
    "archive",
    "summer",
    "meadow",
    "report",
    "east",
    "lantern",
    "orchard",
    "signal",
    "quarry",
    "copper",
    "thread",
    "garden",
    "window",
    "market",
    "number",
    "south",
    "wheel",
    "paper",
    "candle",
    "forest",
    "hill",
    "stone",
]
CHINESE = (
    "气象站在山谷里记录了一整年的降雨量。春天的雨最细，夏天的雨最急。"  # noqa: RUF001 -- Chinese
    "每个月的数据都写在下面的表格里，并与前一年作了比较。"  # noqa: RUF001 -- Chinese
)
JAPANESE = (
    "観測所では毎朝六時に気温と湿度を記録しています。夏の終わりには霧が多く、"
    "秋は空気が澄んで遠くの山まで見えます。記録は四半期ごとにまとめられます。"
)
ARABIC = (
    "تسجل المحطة كمية الأمطار كل صباح وترسل النتائج إلى المدينة في نهاية كل شهر. كان الشتاء هذا العام أكثر مطرا من العام الماضي."
)
PASSWORD = "quire"  # noqa: S105 -- of a sample that nobody is to open
UNLIGATED = {"liga": False, "rlig": False, "calt": False, "ccmp": False}
"""Letters joined, but each a glyph of its own: so that the text can be read back as it was written."""

LETTERS = ("Letter to the harbour office", "Notice of a new timetable", "Invoice 1047", "Invoice 1048", "Invoice 1049", "Receipt")
REPORTS = {"Rainfall, first quarter": 3, "Rainfall, second quarter": 4, "Bridge inspection": 6, "Minutes of the meeting": 2}
BOOKS = {"Handbook of the station": 40, "Register of the archive": 24, "Field notes": 12}
PICTURES = {"Survey photographs": 3, "Map of the valley": 1, "Scan of a letter": 2, "Poster": 1}


def samples() -> Iterator[tuple[str, bytes]]:
    """`(filename, content)`, in the order in which they are submitted."""
    for title in LETTERS:
        yield _name(title), written(title, 1)
    for title, pages in (REPORTS | BOOKS).items():
        yield _name(title), written(title, pages)
    for title, pages in PICTURES.items():
        yield _name(title), pictured(title, pages)
    for title, text, font in (
        ("降雨量报告", CHINESE, "NotoSansSC-subset.ttf"),
        ("山谷气象站 年度数据", CHINESE, "NotoSansSC-subset.ttf"),
        ("観測記録", JAPANESE, "NotoSansSC-subset.ttf"),
        ("تقرير الأمطار", ARABIC, "NotoNaskhArabic-subset.ttf"),
        ("رسالة المحطة", ARABIC, "NotoNaskhArabic-subset.ttf"),
    ):
        yield f"{title}.pdf", foreign(title, text, HERE / "fonts" / font)
    yield "Form to fill in.pdf", landscape("Form to fill in")
    yield "Empty page.pdf", written("", 1)
    yield "Timetable.pdf", landscape("Timetable")
    yield "Damaged on the way.pdf", corrupt(written("Damaged on the way", 2))
    yield "Confidential.pdf", encrypted("Confidential")


def written(title: str, pages: int) -> bytes:
    """Pages of text; no title: an empty page."""
    pdf = _document(title)
    for number in range(1, pages + 1):
        pdf.add_page()
        if title:
            _heading(pdf, title if number == 1 else f"{title}, page {number}")
            pdf.multi_cell(0, 6, _prose(f"{title} {number}", 300))
    return bytes(pdf.output())


def pictured(title: str, pages: int) -> bytes:
    pdf = _document(title)
    for number in range(1, pages + 1):
        pdf.add_page()
        _heading(pdf, title)
        pdf.image(io.BytesIO(_picture(f"{title} {number}")), w=pdf.epw)
        pdf.multi_cell(0, 6, _prose(f"{title} {number}", 40))
    return bytes(pdf.output())


def foreign(title: str, text: str, font: Path) -> bytes:
    pdf = _document(title)
    pdf.add_font("noto", fname=font)
    pdf.set_text_shaping(True, features=UNLIGATED)
    for _ in range(2):
        pdf.add_page()
        pdf.set_font("noto", size=20)
        pdf.cell(0, 14, title, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("noto", size=12)
        for _ in range(3):
            pdf.multi_cell(0, 8, text, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(4)
    return bytes(pdf.output())


def landscape(title: str) -> bytes:
    pdf = _document(title)
    pdf.add_page(orientation="landscape")
    _heading(pdf, title)
    with pdf.table() as table:
        for row in range(12):
            cells = table.row()
            for column in range(6):
                cells.cell(WORDS[(row * 7 + column) % len(WORDS)])
    return bytes(pdf.output())


def encrypted(title: str) -> bytes:
    """Opens only with PASSWORD. RC4, as its bytes do not depend on chance; readers refuse it just the same."""
    pdf = _document(title)
    pdf.set_encryption(owner_password=PASSWORD, user_password=PASSWORD, encryption_method=EncryptionMethod.RC4)
    pdf.add_page()
    _heading(pdf, title)
    pdf.multi_cell(0, 6, _prose(title, 100))
    return bytes(pdf.output())


def corrupt(content: bytes) -> bytes:
    """The header is whole, everything behind it is noise."""
    return content[:16] + random.Random(26).randbytes(4_000)  # noqa: S311 -- the same noise each time


def _document(title: str) -> FPDF:
    pdf = FPDF()
    pdf.set_creation_date(MADE)
    pdf.set_author("Quire")
    pdf.set_auto_page_break(auto=False)
    if title:
        pdf.set_title(title)
    return pdf


def _heading(pdf: FPDF, text: str) -> None:
    pdf.set_font("helvetica", "B", 18)
    pdf.cell(0, 14, text, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("helvetica", size=11)


def _prose(seed: str, words: int) -> str:
    chance = random.Random(seed)  # noqa: S311 -- the same text each time
    return " ".join(chance.choice(WORDS) for _ in range(words)).capitalize() + "."


def _picture(seed: str) -> bytes:
    """Hills under a sky, as a JPEG."""
    chance = random.Random(seed)  # noqa: S311 -- the same picture each time
    image = Image.linear_gradient("L").resize((900, 600)).convert("RGB")
    for layer in range(4):
        colour = tuple(chance.randrange(40, 200) for _ in range(3))
        height = 300 + layer * 60
        for x in range(0, 900, 3):
            height += chance.randint(-4, 4)
            image.paste(colour, (x, max(0, height), x + 3, 600))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def _name(title: str) -> str:
    return f"{title}.pdf"


def main() -> int:
    directory = HERE / "pdfs"
    directory.mkdir(exist_ok=True)
    count = 0
    for name, content in samples():
        (directory / name).write_bytes(content)
        count += 1
    sys.stdout.write(f"{count} PDFs in {directory}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
