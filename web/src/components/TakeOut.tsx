// Everything of a collection, an upload or a batch as one download.

import { Menu, MenuItem } from "@szhsin/react-menu";
import type { Export } from "../api/server";
import { takeOut } from "../take";
import { TEXT } from "../texts";
import { Icon } from "./Icon";

const FORMS: readonly (Pick<Export, "kind" | "format"> & { readonly label: string })[] = [
  { kind: "text", format: "zip", label: TEXT.take.texts },
  { kind: "text", format: "jsonl", label: TEXT.take.lines },
  { kind: "original", format: "zip", label: TEXT.take.originals },
  { kind: "report", format: "csv", label: TEXT.take.report },
];

export function TakeOut({ of, quiet = false }: { of: Export["of"]; quiet?: boolean }) {
  return (
    <Menu
      className="menu"
      gap={4}
      align="end"
      menuButton={
        <button type="button" className={quiet ? "btn ghost" : "btn"}>
          <Icon name="download" size={16} />
          {TEXT.take.title}
        </button>
      }
    >
      {FORMS.map(({ label, ...form }) => (
        <MenuItem key={label} onClick={() => void takeOut({ ...form, of })}>
          {label}
        </MenuItem>
      ))}
    </Menu>
  );
}
