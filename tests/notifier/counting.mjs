// Where batches stand, as the page folds it: what it prints is checked by test_javascript_client.py.

const { Batches } = await import(process.argv[3]);
const batches = new Batches();
const active = (batch_id, more = {}) => ({
  batch_id, status: "processing", total: 4, processed: 1, failed: 0, cancelled: 0, created_at: batch_id, in_flight: [], ...more,
});
const message = (seq, type, batch_id, more) => ({ seq, type, batch_id, collection_id: "c", at: "2026-01-01T00:00:00Z", ...more });
const settled = (seq, batch_id, file_id, status = "processed") => message(seq, "FILES_PROCESSED", batch_id, { file_id, status });
const numbers = (id) => {
  const { processed, failed, total } = batches.get(id);
  return [processed, failed, total];
};
const seen = {};

batches.begin({ seq: 3, snapshot: { batches: [active("a", { in_flight: [{ file_id: "f", filename: "f.pdf" }] })] } });
seen.inFlight = batches.get("a").inFlight.map(({ filename }) => filename);
batches.take(settled(4, "a", "f"));
batches.take(settled(5, "a", "g", "failed"));
seen.unnamed = [...numbers("a"), batches.get("a").inFlight.length];

batches.take(settled(6, "unknown", "h"));
seen.vague = batches.get("unknown").vague;
batches.add({ seq: 8, snapshot: { batches: [active("unknown"), active("b", { processed: 2 })] } });
seen.heardOfMeanwhile = numbers("unknown");
batches.take(settled(7, "b", "i"));
seen.known = numbers("b");
batches.take(settled(9, "b", "j"));
seen.newer = numbers("b");
batches.take(message(10, "BATCH_RETRY_REQUESTED", "b", { file_ids: ["k"], generation: 1 }));
seen.retried = batches.get("b").vague;

await batches.refresh("b", async () => active("b", { processed: 1, files: ["i", "j", "k", "l"].map((file_id) => ({ file_id, processing_status: file_id === "i" ? "processed" : "queued" })) }));
batches.take(message(11, "BATCH_PROCESSING_PROGRESS", "b", { stage: "heartbeat", processed: 3, failed: 0, total: 4, in_flight: [] }));
seen.counted = [...numbers("b"), batches.get("b").vague];
console.log(JSON.stringify(seen));
