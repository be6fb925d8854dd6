// The browser's own modal dialog: it keeps the focus, closes with Escape, and gives the focus back.

import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { TEXT } from "../texts";
import { Icon } from "./Icon";

interface Props {
  readonly title: ReactNode;
  readonly kind?: "small" | "sheet" | "viewer";
  readonly head?: ReactNode;
  readonly children: ReactNode;
  readonly onClose: () => void;
}

export function Dialog({ title, kind = "small", head, children, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const name = useId();
  useLayoutEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, too
    <dialog
      ref={dialog}
      className={`dialog ${kind}`}
      aria-labelledby={name}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={name}>{title}</h2>
          {head}
          <button type="button" className="btn ghost square" aria-label={TEXT.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface Choice {
  readonly label: string;
  readonly bad?: boolean;
  readonly does: () => void;
}

/** A question with its answers; the first one, which changes nothing, has the focus. */
export function Question({
  title,
  text,
  stay,
  choices,
  onClose,
}: {
  title: string;
  text: string;
  stay: string;
  choices: readonly Choice[];
  onClose: () => void;
}) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p className="question">{text}</p>
      <div className="answers">
        {/* biome-ignore lint/a11y/noAutofocus: within a dialog the focus has to be somewhere, and here it does no harm */}
        <button type="button" className="btn" autoFocus onClick={onClose}>
          {stay}
        </button>
        {choices.map(({ label, bad, does }) => (
          <button
            key={label}
            type="button"
            className={bad ? "btn bad" : "btn"}
            onClick={() => {
              onClose();
              does();
            }}
          >
            {label}
          </button>
        ))}
      </div>
    </Dialog>
  );
}
