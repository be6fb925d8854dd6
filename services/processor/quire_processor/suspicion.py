"""Which files of a batch may be what processors died of, and which one it was. Pure.

A processor that is killed for memory takes along whatever it has in work. The log tells which files those were. They are worked
on last, each with nothing beside it: if it happens again, it was the one.
"""

from quire_schemas.events import FileFailed
from quire_schemas.states import BatchState, FileState

_UNTOLD_DEATHS = 2


def suspects(state: BatchState) -> frozenset[str]:
    """The unsettled files to be worked on alone. Where runs in a row died before they told what they had in work: all."""
    everyone = state.fruitless >= _UNTOLD_DEATHS and not state.most_suspected()
    return frozenset(file_id for file_id in state.unsettled() if everyone or state.files[file_id].suspected)


def culprits(state: BatchState, most: int) -> tuple[FileState, ...]:
    """The unsettled files that `most` processors have died over."""
    return tuple(file for file in state.files.values() if not file.settled and file.suspected >= most)


def failure(run_id: str, file: FileState) -> FileFailed:
    """How a culprit fails."""
    message = (
        f"{file.suspected} processors died while this file was in work. Most likely it needs more memory than they have: "
        "split the file, or give processors more memory, then retry."
    )
    return FileFailed(run_id=run_id, file_id=file.file_id, code="worker_crashed", message=message)
