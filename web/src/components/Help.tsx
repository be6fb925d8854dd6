// What a sheet says, which keys there are, how a program does the same.

import { ROOT } from "../address";
import { asksForToken } from "../api/server";
import { STANDING, TEXT } from "../texts";
import { Dialog } from "./Dialog";
import { Terminal } from "./Empty";
import { Sample } from "./Sheets";

const LEGEND = [
  ["w", "queued"],
  ["a55", "processing"],
  ["d", "processed"],
  ["x", "failed"],
  ["c", "cancelled"],
] as const;

export function Help({ collection, onClose, onToken }: { collection: string; onClose: () => void; onToken: () => void }) {
  return (
    <Dialog title={TEXT.help.title} kind="sheet" onClose={onClose}>
      <h3 className="section">{TEXT.help.sheets}</h3>
      <ul className="legend">
        {LEGEND.map(([drawn, standing]) => (
          <li key={standing}>
            <Sample drawn={drawn} label="" big />
            {STANDING[standing]}
          </li>
        ))}
      </ul>
      <h3 className="section">{TEXT.help.keys}</h3>
      <dl className="keys">
        {TEXT.help.key.map(([key, does]) => (
          <div key={key}>
            <dt>
              {(key ?? "").split("  ").map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <h3 className="section">{TEXT.help.api}</h3>
      <p>
        {TEXT.help.apiText} <code>{ROOT.href}</code>
      </p>
      <p>
        {TEXT.help.docs} <a href={new URL("docs", ROOT).href}>{TEXT.help.docsHttp}</a>,{" "}
        <a href={new URL("docs/events", ROOT).href}>{TEXT.help.docsEvents}</a>
      </p>
      <Terminal collection={collection} />
      {asksForToken() && (
        <button type="button" className="btn" onClick={onToken}>
          {TEXT.help.token}
        </button>
      )}
    </Dialog>
  );
}
