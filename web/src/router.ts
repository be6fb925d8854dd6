// The addresses of the page. Everything that is chosen stands in them.

import { createRouter } from "@swan-io/chicane";
import { BASE } from "./address";

export const DEFAULT_COLLECTION = "default";

export const Router = createRouter(
  {
    Start: "/?:status&:q&:in&:sort&:file",
    Collection: "/collections/:collection?:status&:q&:in&:sort&:file",
    Upload: "/uploads/:request?:file",
    Batch: "/batches/:batch?:file",
  },
  { basePath: BASE },
);

export const ROUTES = ["Start", "Collection", "Upload", "Batch"] as const;
