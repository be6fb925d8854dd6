// node parse_asyncapi.mjs <directory with node_modules> <document>: prints errors and warnings, and exits 1 if there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [directory, path] = process.argv.slice(2);
const { Parser } = createRequire(`${directory}/`)("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"));
const problems = diagnostics.filter(({ severity }) => severity <= 1);
for (const { code, path: where, message } of problems) console.log(`${code} at ${where.join(".")}: ${message}`);
process.exitCode = document === undefined || problems.length > 0 ? 1 : 0;
