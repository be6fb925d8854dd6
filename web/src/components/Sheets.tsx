// A batch as a quire: 25 small sheets, each a file. Colour and shape say how it stands; a screen reader hears the numbers.

import { memo, useEffect } from "react";
import { refresh } from "../live";
import type { Batch, Sheet, Standing } from "../state/fold";
import { TEXT } from "../texts";

const SHAPE: Record<Standing, string> = { queued: "w", processing: "a", processed: "d", failed: "x", cancelled: "c" };

/** One letter a sheet, and the share of its pages that is read: equal texts are equal pictures. */
function drawing(batch: Batch): string {
  const shares = new Map(
    batch.in_flight.map(({ file_id, page, pages }) => [file_id, pages ? Math.round(((page ?? 0) / pages) * 100) : 0]),
  );
  return standings(batch)
    .map(([standing, id]) => (standing === "processing" ? `a${shares.get(id) ?? 0}` : SHAPE[standing]))
    .join(" ");
}

/** Of a batch whose files are not known, by its numbers. */
function standings(batch: Batch): readonly (readonly [Standing, string])[] {
  if (batch.sheets) return batch.sheets.map((sheet) => [sheet.standing, sheet.file_id]);
  const waiting = batch.total - batch.processed - batch.failed - batch.cancelled - batch.in_flight.length;
  const some = (standing: Standing, count: number) => Array.from({ length: Math.max(0, count) }, () => [standing, ""] as const);
  return [
    ...some("processed", batch.processed),
    ...some("failed", batch.failed),
    ...some("cancelled", batch.cancelled),
    ...batch.in_flight.map((position) => ["processing", position.file_id] as const),
    ...some("queued", waiting),
  ];
}

export function sheetsText(batch: Pick<Batch, "total" | "processed" | "failed" | "cancelled" | "in_flight">): string {
  const working = batch.in_flight.length;
  const waiting = batch.total - batch.processed - batch.failed - batch.cancelled - working;
  return TEXT.now.sheets(batch.processed, batch.failed, batch.cancelled, working, waiting);
}

const Strip = memo(function Strip({ drawn, label, big }: { drawn: string; label: string; big: boolean }) {
  const sheets = drawn ? drawn.split(" ") : [];
  const spoken = label ? { role: "img", "aria-label": label } : { "aria-hidden": true };
  return (
    <span className={big ? "sheets big" : "sheets"} {...spoken}>
      {sheets.map((shape, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a sheet is its place
        <Leaf key={place} shape={shape} />
      ))}
    </span>
  );
});

const Leaf = memo(function Leaf({ shape }: { shape: string }) {
  const share = shape.slice(1);
  return (
    <i
      className={`leaf ${shape[0]}`}
      {...(share ? { style: { ["--read" as string]: `${Math.max(12, Number(share))}%` } } : {})}
    />
  );
});

/** The strip of a batch; fetches its files where their order is not known yet. */
export function Sheets({ batch, big = false }: { batch: Batch; big?: boolean }) {
  const unknown = batch.sheets === null;
  useEffect(() => {
    if (unknown) void refresh(batch.batch_id).catch(() => undefined);
  }, [unknown, batch.batch_id]);
  return <Strip drawn={drawing(batch)} label={sheetsText(batch)} big={big} />;
}

/** An example, or a legend. */
export function Sample({ drawn, label, big = false }: { drawn: string; label: string; big?: boolean }) {
  return <Strip drawn={drawn} label={label} big={big} />;
}

export type { Sheet };
