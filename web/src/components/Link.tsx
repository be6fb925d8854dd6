// Links within the page: one that is opened in another tab, or copied, leads there as well.

import { pushUnsafe, replaceUnsafe } from "@swan-io/chicane";
import type { AnchorHTMLAttributes, MouseEvent } from "react";

type Props = AnchorHTMLAttributes<HTMLAnchorElement> & { readonly href: string; readonly replace?: boolean };

export const go = pushUnsafe;

const plain = (event: MouseEvent) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

export function To({ href, replace = false, onClick, ...rest }: Props) {
  return (
    <a
      {...rest}
      href={href}
      onClick={(event) => {
        onClick?.(event);
        if (event.defaultPrevented || !plain(event)) return;
        event.preventDefault();
        (replace ? replaceUnsafe : pushUnsafe)(href);
      }}
    />
  );
}
