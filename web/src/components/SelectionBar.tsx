// What can be done with many files at once.

import type { FileView } from "@quire/client/contract";
import { useState } from "react";
import { cancelBatches, retryFiles } from "../commands";
import { live } from "../live";
import { TERMINAL } from "../state/fold";
import { useStore } from "../state/store";
import { takeOutFiles } from "../take";
import { TEXT } from "../texts";
import { Question } from "./Dialog";

export function SelectionBar({ files, onClear }: { files: readonly FileView[]; onClear: () => void }) {
  const batches = useStore(live, (now) => now.batches);
  const [asked, ask] = useState(false);
  const ended = (file: FileView) => {
    const status = batches.get(file.batch_id)?.status;
    return status === undefined || TERMINAL.has(status);
  };
  const again = files.filter(
    (file) => (file.processing_status === "failed" || file.processing_status === "cancelled") && ended(file),
  );
  const open = [...new Set(files.filter((file) => !ended(file)).map((file) => file.batch_id))];
  const rest = open.reduce((sum, id) => {
    const batch = batches.get(id);
    return sum + (batch ? batch.total - batch.processed - batch.failed - batch.cancelled : 0);
  }, 0);
  return (
    <div className="selection" role="toolbar" aria-label={TEXT.table.selected(files.length)}>
      <b>{TEXT.table.selected(files.length)}</b>
      <button
        type="button"
        className="btn"
        disabled={!files.some((file) => file.links.text)}
        onClick={() => void takeOutFiles(files, { kind: "text", format: "zip" })}
      >
        {TEXT.table.getText}
      </button>
      <button type="button" className="btn" onClick={() => void takeOutFiles(files, { kind: "original", format: "zip" })}>
        {TEXT.table.getOriginals}
      </button>
      <button type="button" className="btn" onClick={() => void takeOutFiles(files, { kind: "report", format: "csv" })}>
        {TEXT.table.getReport}
      </button>
      {again.length > 0 && (
        <button type="button" className="btn" onClick={() => void retryFiles(again)}>
          {TEXT.table.retry(again.length)}
        </button>
      )}
      {open.length > 0 && (
        <button type="button" className="btn bad" onClick={() => ask(true)}>
          {TEXT.table.cancelQuires}
        </button>
      )}
      <button type="button" className="btn ghost end" onClick={onClear}>
        {TEXT.table.clear}
      </button>
      {asked && (
        <Question
          title={TEXT.table.cancelTitle(open.length)}
          text={TEXT.table.cancelText(rest)}
          stay={TEXT.now.cancelNo}
          choices={[{ label: TEXT.now.cancelYes(rest), bad: true, does: () => void cancelBatches(open) }]}
          onClose={() => ask(false)}
        />
      )}
    </div>
  );
}
