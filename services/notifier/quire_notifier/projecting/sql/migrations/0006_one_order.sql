-- Files are listed in the order of 0005; nothing asks for the order of before any more.
DROP INDEX IF EXISTS file_metadata_template_collection_id_created_at_id_idx, file_metadata_template_created_at_id_idx,
                     file_metadata_collection_id_created_at_id_idx, file_metadata_created_at_id_idx;
-- Each file's row is updated once or twice: with room for that on its page, no index has to follow.
ALTER TABLE file_metadata_template SET (fillfactor = 50);
ALTER TABLE IF EXISTS file_metadata SET (fillfactor = 50);
