"""`python bench/text_quality.py [PDF or DIR…]`: how near the text of each PDF comes to what `pdftotext` reads, and what it costs.

`--than TREE` reads every file by another checkout too, alternately, and says which files came out worse; `--json FILE` keeps the
figures. `words` is the share of words that both texts have, `pairs` that of neighbouring words: it falls where the order differs.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
SOURCES = ("schemas", "services/runtime", "services/processor")
PATIENCE = 120  # seconds for one file
# A word, or one character of a script that writes without spaces
WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\W_]+"
)


class Seen(NamedTuple):
    """One file by one tree: `text` is None where it was refused."""

    text: str | None
    code: str
    pages: int
    cpu_ms: float
    notices: list[str]


class Figures(NamedTuple):
    """Likeness to the reference from 0 to 1."""

    words: float
    pairs: float


def words(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def overlap(ours: Iterable[Any], theirs: Iterable[Any]) -> float:
    """Twice what both have, over all that they have; 1 where both are empty."""
    mine, other = Counter(ours), Counter(theirs)
    both = mine.total() + other.total()
    return 2 * (mine & other).total() / both if both else 1.0


def likeness(text: str, reference: str) -> Figures:
    mine, other = words(text), words(reference)
    return Figures(overlap(mine, other), overlap(pairwise(mine), pairwise(other)))


def reference_text(path: Path) -> str | None:
    """What pdftotext reads; None where it does not open the file."""
    command = ["pdftotext", "-enc", "UTF-8", str(path), "-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


class Reader:
    """A process that reads files by the code of one tree."""

    def __init__(self, tree: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / part) for part in SOURCES)}
        command = [sys.executable, __file__, "--serve"]
        self._process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self, path: Path) -> Seen:
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("the reader has no pipes")
        print(json.dumps(str(path)), file=self._process.stdin, flush=True)
        return Seen(*json.loads(self._process.stdout.readline()))


def serve() -> None:
    """Read each file named on standard input in a process of its own."""
    import PIL.Image  # noqa: PLC0415 -- once, before the forks, as in a worker that has read files before

    import quire_processor.extract  # noqa: F401, PLC0415

    PIL.Image.init()
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as directory:
            answer = Path(directory) / "answer.json"
            pid = os.fork()
            if pid == 0:
                answer.write_text(json.dumps(_read(Path(json.loads(line)), Path(directory))))
                os._exit(0)
            os.waitpid(pid, 0)
            print(answer.read_text() if answer.exists() else json.dumps(Seen(None, "crashed", 0, 0, [])), flush=True)


def _read(path: Path, target: Path) -> Seen:
    from quire_processor.extract import Refused, extract  # noqa: PLC0415 -- the other process has no use for it
    from quire_processor.limits import Limits  # noqa: PLC0415

    limits = Limits()
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the libraries grumble about
    start = time.process_time()
    try:
        reading = extract(path, target, limits, lambda _page, _pages: None)
    except (Refused, MemoryError, RecursionError) as refused:
        return Seen(None, getattr(refused, "code", type(refused).__name__), 0, 1000 * (time.process_time() - start), [])
    cpu_ms = 1000 * (time.process_time() - start)
    pages = [line.split("\t", 1)[1] for line in (target / "pages.tsv").read_text("utf-8").split("\n")[:-1]]
    notices = [notice.code for notice in getattr(reading, "notices", ())]
    return Seen("\n".join(pages).replace("\\n", "\n").replace("\\t", "\t"), "processed", reading.page_count, cpu_ms, notices)


def files(roots: list[Path]) -> Iterator[Path]:
    for root in roots:
        yield from [root] if root.is_file() else sorted(root.rglob("*.[pP][dD][fF]"))


def measured(path: Path, readers: dict[str, Reader], rounds: int) -> dict[str, Any]:
    """A row of figures: those of each tree in turn, several times, so that a busy machine is busy for both."""
    seen: dict[str, list[Seen]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, reader in readers.items():
            seen[name].append(reader.read(path))
    reference = reference_text(path)
    row: dict[str, Any] = {"file": "/".join(path.parts[-2:]), "reference_words": len(words(reference or ""))}
    for name, readings in seen.items():
        cheapest = min(readings, key=lambda one: one.cpu_ms)
        figures = None if reference is None else likeness(cheapest.text or "", reference)
        row[name] = {
            **cheapest._asdict(),
            "words": figures and round(figures.words, 4),
            "pairs": figures and round(figures.pairs, 4),
        }
    return row


def report(rows: list[dict[str, Any]], name: str) -> None:
    compared = [row for row in rows if row[name]["words"] is not None]
    processed = [row for row in rows if row[name]["text"] is not None]
    pages = sum(row[name]["pages"] for row in processed)
    cpu = sum(row[name]["cpu_ms"] for row in processed)
    print(f"\n{name}: {len(processed)} of {len(rows)} files read, {pages} pages, {cpu / max(pages, 1):.2f} CPU ms a page")
    for figure in ("words", "pairs"):
        print(f"  mean {figure} {sum(row[name][figure] for row in compared) / max(len(compared), 1):.4f}")
    print("  the ten worst:")
    for row in sorted(compared, key=lambda row: row[name]["words"])[:10]:
        one = row[name]
        print(f"    {one['words']:.3f} {one['pairs']:.3f}  {one['code']:<10} {row['reference_words']:>7} words  {row['file']}")


def compare(rows: list[dict[str, Any]]) -> None:
    """What changed from the other tree to this one."""
    for title, sign in (("worse", -1), ("better", 1)):
        print(f"\n{title} than the other tree:")
        for row in rows:
            ours, other = row["this"], row["other"]
            if ours["words"] is None:
                continue
            gain = max((ours[figure] - other[figure]) * sign for figure in ("words", "pairs"))
            if gain > 0.0005:
                was = f"{other['words']:.3f} {other['pairs']:.3f} {other['code']}"
                print(f"  {was:<22} → {ours['words']:.3f} {ours['pairs']:.3f} {ours['code']:<10} {row['file']}")
    both = [row for row in rows if row["this"]["text"] is not None and row["other"]["text"] is not None]
    ours, other = (sum(row[name]["cpu_ms"] for row in both) for name in ("this", "other"))
    print(
        f"\nCPU of the {len(both)} files that both read: {ours:.0f} ms, the other tree {other:.0f} ms: "
        f"{ours / max(other, 1e-9):.3f} times as much"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("paths", nargs="*", type=Path, default=[CORPUS])
    arguments.add_argument("--than", type=Path, metavar="TREE")
    arguments.add_argument("--json", type=Path, metavar="FILE")
    arguments.add_argument("--rounds", type=int, default=3, help="readings of each file by each tree; the cheapest counts")
    options = arguments.parse_args()
    chosen = list(files([path for path in options.paths if path.exists()]))
    if shutil.which("pdftotext") is None:
        raise SystemExit("skipped: there is no pdftotext here to compare with (Debian: apt install poppler-utils)")
    if not chosen:
        raise SystemExit(f"skipped: there is no PDF in {', '.join(map(str, options.paths))}")
    readers = {"this": Reader(ROOT), **({"other": Reader(options.than.resolve())} if options.than else {})}
    rows = [measured(path, readers, options.rounds) for path in chosen]
    for name in readers:
        report(rows, name)
    if options.than:
        compare(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["--serve"] else main()
