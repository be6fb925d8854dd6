// On a phone: what happens now, in one line at the foot of the page, which opens.

import { useState } from "react";
import { live } from "../live";
import { useName, usePace } from "../requests";
import { running, sendings } from "../sending/uploads";
import { left, number } from "../state/format";
import { useStore } from "../state/store";
import type { Upload } from "../state/uploads";
import { TEXT } from "../texts";
import { Bar, Sent } from "./Bar";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";
import { UploadedFilesSidebar } from "./UploadedFilesSidebar";

export function NowBar() {
  const [opened, open] = useState(false);
  return (
    <>
      <button type="button" className="now-bar" aria-haspopup="dialog" onClick={() => open(true)}>
        <Summary />
      </button>
      {opened && (
        <Dialog title={TEXT.now.title} kind="sheet" onClose={() => open(false)}>
          <UploadedFilesSidebar titled={false} />
        </Dialog>
      )}
    </>
  );
}

function Summary() {
  const uploads = useStore(live, (each) => each.uploads);
  const sent = useStore(sendings).filter(({ phase }) => running(phase) || phase === "checking");
  const [upload] = uploads.filter((each) => each.active);
  const [sending] = sent;
  if (upload) return <Going upload={upload} />;
  if (sending)
    return (
      <>
        <span className="now-line">
          <b>
            <bdi>{sending.name || TEXT.sending.checking(sending.count)}</bdi>
          </b>
          <Icon name="up" />
        </span>
        <Sent share={sending.bytes ? sending.sent / sending.bytes : 0} label={TEXT.now.progressOf(sending.name)} />
      </>
    );
  return (
    <span className="now-line">
      <b>{TEXT.now.title}</b>
      <span>{TEXT.now.nothing}</span>
      <Icon name="up" />
    </span>
  );
}

function Going({ upload }: { upload: Upload }) {
  const at = usePace(upload.request_id);
  const name = useName(upload);
  return (
    <>
      <span className="now-line">
        <b>
          <bdi>{name}</bdi>
        </b>
        <span>
          {number(upload.processed + upload.failed + upload.cancelled)} {TEXT.now.of(upload.total)}
          {upload.failed > 0 && <em className="bad"> · {TEXT.title.failed(upload.failed)}</em>}
          {at?.left != null && ` · ${left(at.left)}`}
        </span>
        <Icon name="up" />
      </span>
      <Bar of={upload} label={TEXT.now.progressOf(name)} />
    </>
  );
}
