"""Decides from the state of a batch how the batch ends (docs/design.md, "The fold"). Pure."""

from quire_schemas.events import BatchCompleted, BatchFailed
from quire_schemas.states import BatchState


def ending_of(state: BatchState, run_id: str, max_fruitless_runs: int) -> BatchCompleted | BatchFailed | None:
    """Returns the terminal event that the run has to send now; None while work is left."""
    if _exhausted(state, max_fruitless_runs):
        message = f"{state.fruitless} runs in a row ended without finishing a file. Look at the processors' logs, then retry."
        return BatchFailed(run_id=run_id, code="attempts_exhausted", message=message)
    if state.policy == "all_or_nothing" and (failed := _first_failed(state)) is not None:
        message = f"File {failed} failed, and the policy all_or_nothing fails the whole batch with it."
        return BatchFailed(run_id=run_id, code="file_failed", message=message)
    if not state.all_settled:
        return None
    if state.count("processed"):
        return BatchCompleted(run_id=run_id)
    return BatchFailed(run_id=run_id, code="all_files_failed", message="No file of the batch could be processed.")


def _exhausted(state: BatchState, max_fruitless_runs: int) -> bool:
    """Returns whether too many runs in a row have died without settling a file.

    Where files are suspected, the limit is doubled: one of them will be found guilty before.
    """
    most = 2 * max_fruitless_runs if state.most_suspected() else max_fruitless_runs
    return state.fruitless >= most and not state.run_settled_a_file and not state.all_settled


def _first_failed(state: BatchState) -> str | None:
    return next((file.filename for file in state.files.values() if file.standing == "failed"), None)
