-- Files are listed in the order of 0005; nothing asks for the order of before any more.
DROP INDEX IF EXISTS file_metadata_template_collection_id_created_at_id_idx, file_metadata_template_created_at_id_idx,
                     file_metadata_collection_id_created_at_id_idx, file_metadata_created_at_id_idx;
