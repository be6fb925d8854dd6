"""Finds the files of a batch that processors may have died of. Pure.

When a processor is killed for lack of memory, the log tells which files it had in work: these are suspected. Suspected files
are worked on last, each alone: if a processor dies again, it died of that file.
"""

from quire_schemas.events import FileFailed
from quire_schemas.states import BatchState, FileState

_UNTOLD_DEATHS = 2


def suspects(state: BatchState) -> frozenset[str]:
    """Returns the ids of the unsettled files that have to be worked on alone.

    Every unsettled file has to where _UNTOLD_DEATHS runs in a row have died before they reported which files they had in work.
    """
    everyone = state.fruitless >= _UNTOLD_DEATHS and not state.most_suspected()
    return frozenset(file_id for file_id in state.unsettled() if everyone or state.files[file_id].suspected)


def culprits(state: BatchState, most: int) -> tuple[FileState, ...]:
    """Returns the unsettled files that `most` processors, or more, have died over."""
    return tuple(file for file in state.files.values() if not file.settled and file.suspected >= most)


def failure(run_id: str, file: FileState) -> FileFailed:
    """Returns the outcome for a file that processors have died over."""
    message = (
        f"{file.suspected} processors died while this file was in work. Most likely it needs more memory than they have: "
        "split the file, or give processors more memory, then retry."
    )
    return FileFailed(run_id=run_id, file_id=file.file_id, code="worker_crashed", message=message)
