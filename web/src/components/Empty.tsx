// Before the first file: what this is, three steps, and the same from a terminal with this server's own address.

import { ROOT } from "../address";
import { ingest } from "../api/server";
import { DEFAULT_COLLECTION } from "../router";
import { TEXT } from "../texts";
import { Options, sendSamples, type useChoosers } from "./Drop";
import { Sample } from "./Sheets";

const SAMPLES = 27;
export const EXAMPLE = `${"d ".repeat(17)}x a28 a60 ${"w ".repeat(5)}`.trim();

export function Empty({ collection, choosers }: { collection: string; choosers: ReturnType<typeof useChoosers> }) {
  return (
    <div className="hero">
      <div className="zone">
        <Sample drawn={EXAMPLE} label={TEXT.now.sheets(17, 1, 0, 2, 5)} big />
        <h1>{TEXT.drop.title}</h1>
        <p>{TEXT.empty.promise}</p>
        <div className="zone-actions">
          <button type="button" className="btn primary" aria-keyshortcuts="u" onClick={() => choosers.files.current?.click()}>
            {TEXT.drop.choose}
          </button>
          <button type="button" className="btn" onClick={() => choosers.folder.current?.click()}>
            {TEXT.drop.chooseFolder}
          </button>
          <button type="button" className="btn" onClick={() => void sendSamples(collection)}>
            {TEXT.empty.samples(SAMPLES)}
          </button>
          <Options />
        </div>
      </div>
      <ol className="steps">
        {TEXT.empty.steps.map(([title, text], place) => (
          <li key={title}>
            <b>
              {place + 1} · {title}
            </b>
            <span>{text}</span>
          </li>
        ))}
      </ol>
      <Terminal collection={collection} />
    </div>
  );
}

export function Terminal({ collection }: { collection: string }) {
  const named = collection === DEFAULT_COLLECTION ? "" : ` --collection ${collection}`;
  const query = collection === DEFAULT_COLLECTION ? "" : `?collection_id=${collection}`;
  const url = ROOT.href.replace(/\/$/, "");
  return (
    <pre className="terminal">
      <span className="comment"># {TEXT.empty.terminal.toLowerCase()}</span>
      {`\nquire submit ~/scans${named} --url ${url}\ncurl -F files=@report.pdf '${new URL("api/documents/process", ingest()).href}${query}'`}
    </pre>
  );
}
