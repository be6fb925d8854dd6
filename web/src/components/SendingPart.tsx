// How an upload is sent: how far, how fast, how long still; Stop asks what becomes of what is accepted.

import { useRef, useState } from "react";
import { useNow } from "../hooks";
import { ofInput } from "../sending/gather";
import { dismiss, running, type Sending, sendAgain, sendNow, stop, takeUp } from "../sending/uploads";
import { bytes, left, number } from "../state/format";
import { TEXT } from "../texts";
import { Sent } from "./Bar";
import { Question } from "./Dialog";

const REJECTED_SHOWN = 50;

export function SendingPart({ of }: { of: Sending }) {
  return (
    <div className={`sending ${of.phase}`}>
      {running(of.phase) && <Going of={of} />}
      {of.phase === "interrupted" && <Interrupted of={of} />}
      {of.phase === "done" && <p className="good">{TEXT.sending.done(of.accepted)}</p>}
      {of.phase === "stopped" && (
        <p>
          {TEXT.sending.stopped}.{" "}
          {of.undone && of.accepted ? TEXT.sending.cancelled(of.accepted) : TEXT.sending.kept(of.accepted)}
        </p>
      )}
      {of.phase === "refused" && <Refusal of={of} />}
      {of.rejected.length > 0 && <Rejections of={of} />}
    </div>
  );
}

function Going({ of }: { of: Sending }) {
  const now = useNow();
  const [asked, ask] = useState(false);
  const share = of.bytes ? Math.min(1, of.sent / of.bytes) : 0;
  const seconds = of.phase === "sending" && of.speed ? (of.bytes - of.sent) / of.speed : null;
  return (
    <>
      <Sent share={share} label={TEXT.now.progressOf(of.name)} />
      <p className="facts">
        <span>{TEXT.sending.of(bytes(of.sent), bytes(of.bytes))}</span>
        {of.phase === "again" && <b className="bad">{TEXT.sending.again(Math.ceil((of.until - now) / 1000))}</b>}
        {of.phase === "storing" && <span>{TEXT.sending.storing}</span>}
        {of.phase === "sending" && of.speed !== null && (
          <span>
            <b>{bytes(of.speed)}</b>/s
          </span>
        )}
        {of.accepted > 0 && <span>{TEXT.sending.accepted(of.accepted, of.count)}</span>}
        {seconds !== null && <span className="end">{TEXT.sending.left(left(seconds))}</span>}
      </p>
      {of.phase === "again" && of.why && <p className="hint">{TEXT.sending.againWhy(of.why)}</p>}
      <div className="actions">
        {of.phase === "again" && (
          <button type="button" className="btn" onClick={() => sendNow(of.key)}>
            {TEXT.tryAgain}
          </button>
        )}
        <button type="button" className="btn bad" onClick={() => ask(true)}>
          {TEXT.sending.stop}
        </button>
      </div>
      {asked && (
        <Question
          title={TEXT.sending.stopTitle}
          text={TEXT.sending.stopText(of.accepted, of.count - of.accepted)}
          stay={TEXT.sending.keepSending}
          onClose={() => ask(false)}
          choices={
            of.accepted
              ? [
                  { label: TEXT.sending.stopKeep, does: () => void stop(of.key, false) },
                  { label: TEXT.sending.stopAll, bad: true, does: () => void stop(of.key, true) },
                ]
              : [{ label: TEXT.sending.stopPlain, bad: true, does: () => void stop(of.key, false) }]
          }
        />
      )}
    </>
  );
}

function Interrupted({ of }: { of: Sending }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <p className="hint">
        {TEXT.files(of.count)}, {bytes(of.bytes)}. {TEXT.sending.interruptedText}
      </p>
      {of.why && (
        <p className="hint bad" role="alert">
          {of.why}
        </p>
      )}
      <div className="actions">
        {of.withHandles ? (
          <button type="button" className="btn primary" onClick={() => void takeUp(of.key)}>
            {TEXT.sending.takeUp}
          </button>
        ) : (
          <button type="button" className="btn primary" onClick={() => input.current?.click()}>
            {of.folder ? TEXT.sending.chooseFolderAgain : TEXT.sending.chooseAgain}
          </button>
        )}
        <button type="button" className="btn ghost" onClick={() => dismiss(of.key)}>
          {TEXT.sending.forget}
        </button>
        <input
          ref={input}
          type="file"
          hidden
          multiple
          {...(of.folder ? { webkitdirectory: "" } : { accept: "application/pdf,.pdf" })}
          onChange={({ target }) => target.files?.length && void takeUp(of.key, Promise.resolve(ofInput(target.files)))}
        />
      </div>
    </>
  );
}

function Refusal({ of }: { of: Sending }) {
  return (
    <>
      <p className="bad" role="alert">
        {of.why}
      </p>
      {of.count > 0 && of.bytes > 0 && (
        <div className="actions">
          <button type="button" className="btn" onClick={() => void sendAgain(of.key)}>
            {TEXT.sending.again2}
          </button>
        </div>
      )}
    </>
  );
}

function Rejections({ of }: { of: Sending }) {
  return (
    <details className="rejected">
      <summary>{TEXT.sending.rejected(of.rejected.length)}</summary>
      <ul>
        {of.rejected.slice(0, REJECTED_SHOWN).map(({ filename, message }) => (
          <li key={filename}>
            <bdi>{filename}</bdi> <span>{message}</span>
          </li>
        ))}
        {of.rejected.length > REJECTED_SHOWN && <li>… {number(of.rejected.length - REJECTED_SHOWN)}</li>}
      </ul>
    </details>
  );
}
