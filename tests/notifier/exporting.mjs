// The JavaScript client's exports from a server that breaks off or refuses: the files, or what was thrown, as JSON.
const { archived, exported, Refused } = await import(process.argv[2]);
const [, , , url, what, patience] = process.argv;
const options = { patience: Number(patience), token: "t" };

async function bytes() {
  let size = 0;
  for await (const chunk of await archived(url, { file_id: ["a", "b"] }, { ...options, kind: "original" })) size += chunk.length;
  return size;
}

const seen = { files: [], refused: null, error: null };
try {
  if (what === "zip") seen.files.push(await bytes());
  else for await (const file of exported(url, { request_id: "r" }, { ...options, kind: what })) seen.files.push(file);
} catch (error) {
  seen.error = error.message;
  if (error instanceof Refused) seen.refused = [error.status, error.code];
}
console.log(JSON.stringify(seen));
