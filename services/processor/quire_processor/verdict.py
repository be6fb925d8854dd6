"""How a batch ends, read off its state (DESIGN §2). Pure."""

from quire_schemas.batch import BatchState
from quire_schemas.events import BatchCompleted, BatchFailed


def verdict(state: BatchState, run_id: str, max_fruitless_runs: int) -> BatchCompleted | BatchFailed | None:
    """The terminal event that the run owes the batch now; None while there is work left."""
    if state.fruitless >= max_fruitless_runs and not state.all_settled:
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


def _first_failed(state: BatchState) -> str | None:
    return next((file.filename for file in state.files.values() if file.standing == "failed"), None)
