// Builds the page into the notifier's package. Relative addresses: it works under any path.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The client for other pages, and the samples that the empty page offers. */
const beside: Plugin = {
  name: "quire-beside",
  generateBundle() {
    const add = (fileName: string, source: string | Uint8Array) => this.emitFile({ type: "asset", fileName, source });
    const samples = readdirSync(here("../samples/pdfs")).filter((name) => name.endsWith(".pdf"));
    for (const name of samples) add(`samples/${name}`, readFileSync(here(`../samples/pdfs/${name}`)));
    add("samples/list.json", JSON.stringify(samples.sort()));
    for (const name of ["quire.js", "quire-export.js"]) add(name, readFileSync(here(`../clients/js/${name}`)));
  },
};

export default defineConfig({
  base: "./",
  plugins: [react(), beside],
  resolve: { alias: { "@quire/client": here("../clients/js/quire.js") } },
  build: {
    outDir: here("../services/notifier/quire_notifier/page"),
    emptyOutDir: true,
    assetsInlineLimit: 0, // the policy allows no data: address
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
  },
  test: { include: ["tests/**/*.test.ts"] },
});
