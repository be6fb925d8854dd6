"""What a file costs, by process and by kind of work, beside the floor: the bare extraction function in two processes. Both take
the same files in turn, so that what else the machine does falls on both. On a stack that `quire up` runs; prints tables.

    .venv/bin/python bench/process.py [--data .quire] [--rounds 3] [--corpus DIRECTORY] [--count N] [--profile] [SET …]

Sets are `one-page` (2,000 files), `mix` (500 of 1 to 60 pages) and, where --corpus names a directory of PDFs, `real`. --profile
runs each once more, and asks py-spy (`pip install py-spy`) where the Python processes are meanwhile.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from batch import cpu, ended, submit
from serving import serving
from tests.samples_pdf import simple_pdf, slow_pdf

from quire_processor.extract import Refused, extract
from quire_processor.limits import Limits

Files = Sequence[tuple[str, bytes]]
PROCESSES = 2
SAMPLES_A_SECOND = 200
PYTHON = ("ingest", "notifier", "processor-1")
KINDS = {  # by what stands in the path of a frame; the innermost frame that is of a kind decides
    "S3 client": ("aiohttp/", "yarl/", "multidict/", "botocore/", "quire_runtime/objects", "quire_runtime/s", "hmac.py"),
    "Kafka client": ("aiokafka/",),
    "Postgres client": ("asyncpg/",),
    "events and JSON": ("quire_schemas/", "msgspec/", "quire_processor/packing"),
    "pipes to workers": ("quire_processor/worker", "quire_processor/results", "quire_processor/watch", "quire_processor/vitals"),
    "starts of workers": ("multiprocessing/", "quire_processor/spawning", "subprocess.py"),
    "HTTP server": ("uvicorn/", "starlette/", "h11/", "quire_runtime/http", "quire_runtime/middleware"),
    "logs and metrics": ("structlog/", "prometheus_client/", "logging/"),
    "event loop": ("quire_runtime/command",),
    "own code": ("quire_",),
}


class Round(NamedTuple):
    """Seconds by the clock, and CPU seconds by process."""

    took: float
    cpu: dict[str, float]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("sets", nargs="*", metavar="SET", default=[])
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
        for name, files in sets(options):
            await compared(client, stack, name, files, options.rounds)
            if options.profile:
                await profiled(client, stack, files)


def sets(options: argparse.Namespace) -> Iterator[tuple[str, Files]]:
    wanted = options.sets or ["one-page", "mix", *(["real"] if options.corpus else [])]
    chance = random.Random(1)  # noqa: S311 -- the same mix each time
    for name in wanted:
        if name == "one-page":
            yield name, [(f"{n}.pdf", simple_pdf(f"file {n}")) for n in range(options.count or 2_000)]
        elif name == "mix":
            sizes = [chance.choice((1, 1, 1, 2, 5, 20, 60)) for _ in range(options.count or 500)]
            yield name, [(f"{n}.pdf", slow_pdf(f"file {n}", pages)) for n, pages in enumerate(sizes)]
        elif name == "real" and options.corpus:
            yield name, [(path.name, path.read_bytes()) for path in sorted(options.corpus.rglob("*.pdf"))[: options.count]]
        else:
            sys.exit(f"no set of the name {name}. Use one-page, mix, or real with --corpus")


async def compared(client: httpx.AsyncClient, stack: dict[str, Any], name: str, files: Files, rounds: int) -> None:
    floors, stacks = [], []
    for _ in range(rounds):
        floors.append(await asyncio.to_thread(bare, files))
        stacks.append(await worked(client, stack, files))
    print(f"{name}: {len(files)} files, {sum(len(content) for _, content in files) / 1e6:.1f} MB, median of {rounds}")
    floor, whole = (statistics.median(sum(one.cpu.values()) for one in runs) for runs in (floors, stacks))
    per_file = 1000 / len(files)
    for what, runs in (("bare function", floors), ("stack", stacks)):
        took = statistics.median(one.took for one in runs)
        print(f"  {what:<22} {len(files) / took:8.1f} files/s")
    for part in stacks[0].cpu:
        print(f"  {part:<22} {statistics.median(one.cpu.get(part, 0.0) for one in stacks) * per_file:8.2f} CPU ms a file")
    extracting = statistics.median(sum(used for part, used in one.cpu.items() if "processor" in part) for one in stacks)
    print(
        f"  {'whole stack':<22} {whole * per_file:8.2f} CPU ms a file, {whole / floor:.2f} of the floor's {floor * per_file:.2f}"
    )
    print(f"  {'processor and workers':<22} {extracting * per_file:8.2f} CPU ms a file, {extracting / floor:.2f} of the floor's")


def bare(files: Files) -> Round:
    """The extraction function alone, over files on disk."""
    folder = Path(tempfile.mkdtemp())
    paths = [folder / f"{number}.pdf" for number in range(len(files))]
    for path, (_, content) in zip(paths, files, strict=True):
        path.write_bytes(content)
    began, before = time.monotonic(), _children_seconds()
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_extracted, args=(paths[n::PROCESSES],)) for n in range(PROCESSES)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    took, used = time.monotonic() - began, _children_seconds() - before
    shutil.rmtree(folder)
    return Round(took, {"bare": used})


def _extracted(paths: Sequence[Path]) -> None:
    limits = Limits()
    for path in paths:
        target = Path(tempfile.mkdtemp(dir=path.parent))
        with contextlib.suppress(Refused):
            extract(path, target, limits, lambda *_: None)
        shutil.rmtree(target)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def worked(client: httpx.AsyncClient, stack: dict[str, Any], files: Files) -> Round:
    began, before = time.monotonic(), cpu(stack)
    for batch in (await submit(client, stack, list(files), f"process-{time.time():.0f}"))["batches"]:
        await ended(client, stack, batch["batch_id"])
    took, after = time.monotonic() - began, cpu(stack)
    return Round(took, {part: after[part] - before.get(part, 0.0) for part in after})


async def profiled(client: httpx.AsyncClient, stack: dict[str, Any], files: Files) -> None:
    """What each Python process does while these files are worked on, in CPU ms a file."""
    with tempfile.TemporaryDirectory() as folder:
        spies = {part: _spy(serving(stack, part).pid, Path(folder) / part) for part in PYTHON}
        used = (await worked(client, stack, files)).cpu
        for part, spy in spies.items():
            spy.terminate()
            spy.wait()
            counts = _kinds((Path(folder) / part).read_text())
            whole = used.get(part, 0.0) * 1000 / len(files)
            shares = [f"{kind} {whole * count / counts.total():.2f}" for kind, count in counts.most_common()]
            print(f"  {part}: {', '.join(shares)}")


def _spy(pid: int, output: Path) -> subprocess.Popen[bytes]:
    command = ["py-spy", "record", "--pid", f"{pid}", "--rate", f"{SAMPLES_A_SECOND}", "--format", "raw", "--output", f"{output}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kinds(stacks: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, number = line.rpartition(" ")
        counts[_kind(frames.split(";"))] += int(number)
    return counts


def _kind(frames: list[str]) -> str:
    for frame in reversed(frames):
        for kind, places in KINDS.items():
            if any(place in frame for place in places):
                return kind
    return "event loop"


if __name__ == "__main__":
    asyncio.run(main())
