-- stored_instances
-- Lists stored instances with all that reading them needs; conditions and order are added.
SELECT
    instance.sop_class_uid, instance.sop_instance_uid, series.series_instance_uid, study.study_instance_uid,
    instance.transfer_syntax_uid, instance.received_transfer_syntax_uid, instance.digest, instance.received_size,
    instance.stored_size, instance.before, instance.instance_number, instance.number_of_frames, instance.rows,
    instance.columns, instance.frames, pack.pack_key, instance.member_offset, instance.member_length,
    instance.deflated, instance.envelope_offset, instance.envelope_length
FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk) JOIN pack USING (pack_pk)

-- conflicts_of_pack
-- Lists the conflicting data sets that one pack holds, in the shape of `stored_instances`.
SELECT
    sop_class_uid, sop_instance_uid, series_instance_uid, study_instance_uid,
    transfer_syntax_uid, received_transfer_syntax_uid, digest, received_size,
    stored_size, before, instance_number, number_of_frames, rows,
    columns, frames, pack_key, member_offset, member_length,
    deflated, envelope_offset, envelope_length
FROM conflict JOIN pack USING (pack_pk)
WHERE pack.pack_key = %(pack_key)s

-- metadata_places
-- Tells for each instance which line of which pack's metadata describes it; conditions and order are added.
SELECT
    pack.pack_key, pack.metadata_offset, pack.metadata_length, pack.metadata_deflated, pack.metadata_size,
    pack.metadata_crc32, instance.place_in_pack
FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk) JOIN pack USING (pack_pk)

-- in_reading_order
-- Orders instances as a reader expects them: by series, then by Instance Number.
ORDER BY series.series_number, series.series_instance_uid, instance.instance_number, instance.sop_instance_uid

-- count_of_study
-- Counts the instances of a study, of every patient that has one by this UID.
SELECT coalesce(sum(number_of_study_related_instances), 0)::bigint FROM study WHERE study_instance_uid = %(study)s

-- next_packs
-- Lists packs in the order of their rows, some at a time.
SELECT pack_pk, pack_key, size FROM pack WHERE pack_pk > %(after)s ORDER BY pack_pk LIMIT 500

-- count_packs
-- Counts packs and their bytes.
SELECT count(*), coalesce(sum(size), 0) FROM pack

-- is_empty
-- Tells whether a hospital has no rows at all.
SELECT NOT EXISTS (SELECT FROM patient) AND NOT EXISTS (SELECT FROM pack) AND NOT EXISTS (SELECT FROM conflict)

-- in_order_of_studies
-- Orders instances of several studies: study by study, each as a reader expects it.
ORDER BY study.study_date, study.study_instance_uid, series.series_number, series.series_instance_uid,
    instance.instance_number, instance.sop_instance_uid
