// The messages of one batch: what the feed holds still, then what comes.

import type { AnyFeedMessage } from "@quire/client/contract";
import { useEffect, useMemo, useState } from "react";
import { history } from "./api/server";
import { type Loaded, useAsked } from "./hooks";
import { listen } from "./live";

export function useHistory(batch: string): readonly [readonly AnyFeedMessage[], Loaded<unknown>] {
  const [asked] = useAsked(batch, () => history(batch));
  const [since, hear] = useState<readonly AnyFeedMessage[]>([]);
  useEffect(() => {
    hear([]);
    return listen((message) => message.batch_id === batch && hear((before) => [...before, message]));
  }, [batch]);
  const messages = useMemo(() => {
    const early = asked.is === "there" ? asked.value : [];
    const last = early.at(-1)?.seq ?? 0;
    return [...early, ...since.filter((message) => message.seq > last)];
  }, [asked, since]);
  return [messages, asked];
}
