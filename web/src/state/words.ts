// What a person looks for. Pure.

/** Of words that texts were searched for, what a text is then looked through for: the first phrase, or the first word. */
export const wordOf = (q: string): string =>
  /"([^"]+)"/.exec(q)?.[1] ??
  q
    .split(/\s+/)
    .map((word) => word.replace(/^\W+|\W+$/gu, (signs) => (signs === "-" ? "-" : "")))
    .find((word) => word && !word.startsWith("-") && word.toLowerCase() !== "or") ??
  "";
