// An upload, from its first byte to its last file: how it is sent, how it is read, the quires that work, the files in hand. Made
// once, changed in place.

import { memo, type PointerEvent, useId, useState } from "react";
import { cancelUpload } from "../commands";
import { useNow } from "../hooks";
import { useName, usePace } from "../requests";
import { Router } from "../router";
import { dismiss, running, type Sending } from "../sending/uploads";
import { type Batch, settled, TERMINAL } from "../state/fold";
import { left, number } from "../state/format";
import { shown, type Upload } from "../state/uploads";
import { TEXT } from "../texts";
import { Bar } from "./Bar";
import { Question } from "./Dialog";
import { Icon } from "./Icon";
import { To } from "./Link";
import { SendingPart } from "./SendingPart";
import { Sheets } from "./Sheets";

const QUIRES_SHOWN = 4;
const FILES_SHOWN = 3;
const SILENT_S = 45;

interface Props {
  readonly sending: Sending | undefined;
  readonly upload: Upload | undefined;
}

export const UploadCard = memo(function UploadCard({ sending, upload }: Props) {
  const title = useId();
  const over = sending && (sending.phase === "done" || sending.phase === "stopped" || sending.phase === "refused");
  return (
    <article className="card" aria-labelledby={title}>
      <header className="card-head">
        <h3 id={title}>
          <Title sending={sending} upload={upload} />
        </h3>
        <span>{upload && told(upload, sending)}</span>
        {over && !upload && (
          <button type="button" className="btn ghost square small" aria-label={TEXT.dismiss} onClick={() => dismiss(sending.key)}>
            <Icon name="close" size={16} />
          </button>
        )}
      </header>
      {sending && (sending.phase !== "done" || sending.rejected.length > 0 || !upload) && <SendingPart of={sending} />}
      {upload && <Reading upload={upload} />}
    </article>
  );
});

/** How many there are; while they still come, of how many. */
function told(upload: Upload, sending: Sending | undefined): string {
  const going = sending && (running(sending.phase) || sending.phase === "interrupted");
  if (going && upload.total < sending.count) return TEXT.now.soFar(upload.total, sending.count);
  return TEXT.now.facts(upload.total, upload.batches.length);
}

function Title({ sending, upload }: Props) {
  if (sending?.phase === "interrupted") return <bdi>{TEXT.sending.interrupted(sending.name)}</bdi>;
  if (upload) return <Known upload={upload} />;
  if (!sending) return null;
  if (sending.phase === "checking") return <>{TEXT.sending.checking(sending.count)}</>;
  return <bdi>{sending.name}</bdi>;
}

function Known({ upload }: { upload: Upload }) {
  return (
    <To href={Router.Upload({ request: upload.request_id })}>
      <bdi>{useName(upload)}</bdi>
    </To>
  );
}

function Reading({ upload }: { upload: Upload }) {
  const name = useName(upload);
  const drawn = shown(upload.batches, QUIRES_SHOWN);
  const waiting = upload.batches.filter((batch) => batch.status === "queued" && !drawn.includes(batch)).length;
  const next = upload.batches.find((batch) => batch.status === "queued" && !settled(batch));
  const inHand = upload.batches.flatMap((batch) => batch.in_flight).slice(0, FILES_SHOWN);
  return (
    <>
      <Bar of={upload} label={TEXT.now.progressOf(name)} />
      <Facts upload={upload} />
      <div className="quires">
        {drawn.map((batch) => (
          <Quire key={batch.batch_id} batch={batch} place={upload.batches.indexOf(batch) + 1} next={batch === next} />
        ))}
        {waiting > 0 && <p className="hint">{TEXT.now.more(waiting)}</p>}
      </div>
      {upload.active && (
        <ul className="in-hand">
          {inHand.map(({ file_id, filename, page, pages, stage }) => (
            <li key={file_id}>
              <bdi>{filename ?? file_id.slice(0, 8)}</bdi>
              <span>{pages ? TEXT.now.page(page ?? 0, pages) : TEXT.now.stage[stage]}</span>
            </li>
          ))}
        </ul>
      )}
      {upload.active && <Life upload={upload} />}
      {upload.active && <Actions upload={upload} name={name} />}
    </>
  );
}

function Facts({ upload }: { upload: Upload }) {
  const at = usePace(upload.request_id);
  return (
    <p className="facts">
      <span>
        <b>{number(upload.processed + upload.failed + upload.cancelled)}</b> {TEXT.now.of(upload.total)}
      </span>
      {upload.failed > 0 && (
        <span className="bad">
          <b>{number(upload.failed)}</b> {TEXT.now.failed}
        </span>
      )}
      {upload.cancelled > 0 && (
        <span>
          <b>{number(upload.cancelled)}</b> {TEXT.now.cancelled}
        </span>
      )}
      {at && (
        <span>
          <b>{at.perSecond.toFixed(1)}</b> {TEXT.now.perSecond}
        </span>
      )}
      {at?.left != null && <span className="end">{TEXT.now.left(left(at.left))}</span>}
    </p>
  );
}

/** A strip; `place` counts the quires of the upload from 1. */
export function Quire({ batch, place, next }: { batch: Batch; place: number; next: boolean }) {
  return (
    <To className="quire" href={Router.Batch({ batch: batch.batch_id })}>
      <span>{place}</span>
      <Sheets batch={batch} />
      <span>{standing(batch, next)}</span>
    </To>
  );
}

function standing(batch: Batch, next: boolean): string {
  if (batch.failed === batch.total || batch.cancelled) return TEXT.batch.status[batch.status].toLowerCase();
  if (TERMINAL.has(batch.status)) return TEXT.now.done;
  if (batch.status === "queued" && !settled(batch)) return next ? TEXT.now.next : TEXT.now.waits2;
  return `${settled(batch)}/${batch.total}`;
}

/** The age of the last sign of life, and what is wrong where there is none. */
function Life({ upload }: { upload: Upload }) {
  const now = useNow();
  const working = upload.batches.some((batch) => batch.status === "processing");
  const lacks = upload.batches.flatMap((batch) => batch.waiting_for)[0];
  const seconds = upload.last_seen_at ? Math.max(0, Math.round((now - Date.parse(upload.last_seen_at)) / 1000)) : null;
  const again = upload.attempt > 1 ? ` · ${TEXT.now.attempt(upload.attempt)}` : "";
  if (!working) return <p className="hint">{TEXT.now.waiting + again}</p>;
  return (
    <>
      <p className="hint">{(lacks ? TEXT.now.waits(TEXT.now.waitsFor[lacks] ?? lacks) : TEXT.now.seen(seconds ?? 0)) + again}</p>
      {seconds !== null && seconds > SILENT_S && <p className="hint bad">{TEXT.now.silent}</p>}
    </>
  );
}

/** A press that began here ends here, although the card may have grown meanwhile. */
const held = (event: PointerEvent<HTMLElement>) => event.currentTarget.setPointerCapture(event.pointerId);

function Actions({ upload, name }: { upload: Upload; name: string }) {
  const [asked, ask] = useState(false);
  const rest = upload.total - upload.processed - upload.failed - upload.cancelled;
  return (
    <div className="actions">
      <button type="button" className="btn bad" onPointerDown={held} onClick={() => ask(true)}>
        {TEXT.now.cancelRest}
      </button>
      <To className="btn ghost" href={Router.Upload({ request: upload.request_id })}>
        {TEXT.now.open}
      </To>
      {asked && (
        <Question
          title={TEXT.now.cancelTitle(name)}
          text={TEXT.now.cancelText(rest, upload.total - rest)}
          stay={TEXT.now.cancelNo}
          choices={[{ label: TEXT.now.cancelYes(rest), bad: true, does: () => void cancelUpload(upload.request_id) }]}
          onClose={() => ask(false)}
        />
      )}
    </div>
  );
}
