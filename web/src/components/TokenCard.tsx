// What a token is, what the one here opens, and how another one is given.

import { type FormEvent, useState } from "react";
import { type Claims, claims, session, signIn, signOut } from "../session";
import { day, exactly } from "../state/format";
import { useStore } from "../state/store";
import { TEXT } from "../texts";
import { addressOf } from "../view";
import { To } from "./Link";

interface Props {
  /** Why another one is asked for. */
  readonly why: string | null;
  readonly onUsed: () => void;
}

export function TokenCard({ why, onUsed }: Props) {
  const { token, kept } = useStore(session);
  const [typed, type] = useState("");
  const [keep, setKeep] = useState(kept);
  const known = token ? claims(token) : null;
  const value = typed.trim().replace(/^Bearer\s+/i, "");
  const wrong = value !== "" && !claims(value);
  const late = value !== "" && expired(claims(value));
  const use = (event: FormEvent) => {
    event.preventDefault();
    if (!value || wrong || late) return;
    signIn(value, keep);
    type("");
    onUsed();
  };
  return (
    <div className="token">
      {why && (
        <p className="notice bad" role="alert">
          {why}
        </p>
      )}
      {known && <What claims={known} />}
      {!known && (
        <>
          <p>{TEXT.token.text}</p>
          <pre className="terminal">quire token</pre>
        </>
      )}
      <form onSubmit={use}>
        <label className="field">
          <span>{TEXT.token.label}</span>
          <input
            type="password"
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={({ target }) => type(target.value)}
          />
        </label>
        {wrong && <p className="hint bad">{TEXT.token.notOne}</p>}
        {late && <p className="hint bad">{late}</p>}
        <label className="check">
          <input type="checkbox" checked={keep} onChange={({ target }) => setKeep(target.checked)} />
          <span>
            {TEXT.token.keep} <small>{TEXT.token.keepHint}</small>
          </span>
        </label>
        <div className="answers">
          {token && (
            <button
              type="button"
              className="btn ghost"
              onClick={() => {
                signOut();
                onUsed();
              }}
            >
              {TEXT.token.signOut}
            </button>
          )}
          <button type="submit" className="btn primary" disabled={!value || wrong || Boolean(late)}>
            {TEXT.token.use}
          </button>
        </div>
      </form>
    </div>
  );
}

/** Why a token of these claims opens nothing any more; null: it does. */
export function expired(of: Claims | null): string | null {
  if (!of?.expires || of.expires * 1000 > Date.now()) return null;
  return TEXT.token.gone(exactly(new Date(of.expires * 1000).toISOString()));
}

function What({ claims: { subject, scopes, collections, expires } }: { claims: Claims }) {
  const may = [scopes.includes("quire:read") && TEXT.token.read, scopes.includes("quire:write") && TEXT.token.write]
    .filter(Boolean)
    .join(", ");
  const until = expires ? new Date(expires * 1000).toISOString() : null;
  return (
    <dl className="facts-list">
      {subject && (
        <div>
          <dt>{TEXT.token.label}</dt>
          <dd>
            <bdi>{subject}</bdi>
          </dd>
        </div>
      )}
      <div>
        <dt>{TEXT.token.opens}</dt>
        <dd>
          {collections.map((name) =>
            name.includes("*") ? (
              <code key={name}>{name === "*" ? TEXT.token.everything : name}</code>
            ) : (
              <To key={name} href={addressOf({ collection: name, tab: "all", q: "", inText: false, sort: "newest", file: null })}>
                <bdi>{name}</bdi>
              </To>
            ),
          )}
        </dd>
      </div>
      <div>
        <dt>{TEXT.token.may}</dt>
        <dd>{may}</dd>
      </div>
      <div>
        <dt>{TEXT.token.until}</dt>
        <dd>
          {until ? (
            <time dateTime={until}>{`${day(until, Date.now())}, ${exactly(until).split(", ")[1]}`}</time>
          ) : (
            TEXT.token.never
          )}
        </dd>
      </div>
    </dl>
  );
}
