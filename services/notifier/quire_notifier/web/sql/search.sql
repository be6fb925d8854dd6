-- Search in texts. Collections are restricted as in queries.sql. $3 and $4 are a batch and a request, or null for any.

-- name: is_useful
-- Whether the words can be searched for. A query with only excluded words would have to read the whole index, so it is refused.
SELECT coalesce(querytree(websearch_to_tsquery($1::text::regconfig, $2)) NOT IN ('', 'T'), false);

-- name: files
-- As `files` in queries.sql, after the place ($6, $7, $8, $9) if one is given.
SELECT {file}
FROM file_metadata AS f
WHERE ($1::text[] IS NULL OR f.collection_id = ANY($1)) AND ($2::text IS NULL OR f.collection_id = $2)
  AND ($3::uuid IS NULL OR f.batch_id = $3)
  AND ($4::uuid IS NULL OR f.batch_id IN (SELECT batch_id FROM batch WHERE request_id = $4))
  AND ($5::text[] IS NULL OR f.processing_status = ANY($5)) AND ($13::text[] IS NULL OR f.error_code = ANY($13))
  AND ($6::timestamptz IS NULL
       OR f.created_at <= $6 AND (f.created_at < $6 OR (f.batch_id, f.position, f.id) > ($7::uuid, $8::integer, $9::uuid)))
  AND (f.batch_id, f.text_key) IN (
      SELECT t.batch_id, t.text_key FROM indexed_page AS p JOIN indexed_text AS t ON t.id = p.text_id
      WHERE t.config = $11 AND p.words @@ websearch_to_tsquery($11::text::regconfig, $12))
ORDER BY f.created_at DESC, f.batch_id, f.position, f.id LIMIT $10;

-- name: matches
-- The first pages of each text ($1, $5) that match, at most $4, with a snippet in which U+0001 and U+0002 enclose hits.
SELECT t.text_key, m.page,
       ts_headline($2::text::regconfig, m.body, q.words,
                   'StartSel=' || chr(1) || ', StopSel=' || chr(2) || ', MaxWords=30, MinWords=12, ShortWord=0') AS snippet
FROM websearch_to_tsquery($2::text::regconfig, $3) AS q (words), indexed_text AS t CROSS JOIN LATERAL (
    SELECT DISTINCT ON (p.page) p.page, p.body FROM indexed_page AS p
    WHERE p.text_id = t.id AND p.words @@ websearch_to_tsquery($2::text::regconfig, $3) ORDER BY p.page, p.piece LIMIT $4
) AS m
WHERE (t.batch_id, t.text_key) IN (SELECT * FROM unnest($5::uuid[], $1::text[])) AND t.config = $2 ORDER BY t.text_key, m.page;

-- name: unindexed
-- The number of texts in the searched collections that are not indexed yet, counted up to $5.
SELECT count(*) FROM (
    SELECT FROM unindexed
    WHERE ($1::text[] IS NULL OR collection_id = ANY($1)) AND ($2::text IS NULL OR collection_id = $2)
      AND ($3::uuid IS NULL OR batch_id = $3)
      AND ($4::uuid IS NULL OR batch_id IN (SELECT batch_id FROM batch WHERE request_id = $4)) LIMIT $5
) AS waiting;
