-- targets
-- Lists the stored instances that a deletion names; conditions and order are added.
SELECT
    instance.sop_instance_uid, instance.digest, instance.received_at, series.series_instance_uid,
    study.study_instance_uid
FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk) JOIN pack USING (pack_pk)

-- conflict_targets
-- Lists the conflicts under the same SOP Instance UIDs: they go with the instance that they contradict.
SELECT sop_instance_uid, digest, received_at, series_instance_uid, study_instance_uid
FROM conflict WHERE sop_instance_uid = ANY(%(uids)s)

-- lock_packs_of
-- Locks the packs that hold these instances, conflicts or deleted ones, so that compaction waits.
SELECT FROM pack WHERE pack_pk IN (
    SELECT pack_pk FROM instance WHERE sop_instance_uid = ANY(%(uids)s)
    UNION SELECT pack_pk FROM conflict WHERE sop_instance_uid = ANY(%(uids)s)
    UNION SELECT pack_pk FROM deleted WHERE sop_instance_uid = ANY(%(uids)s)
) ORDER BY pack_pk FOR UPDATE

-- lock_patients_of
-- Locks the patients of these instances, in the order in which ingest locks them.
SELECT FROM patient WHERE patient_pk IN (
    SELECT study.patient_pk FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk)
    WHERE instance.sop_instance_uid = ANY(%(uids)s)
) ORDER BY issuer_of_patient_id, patient_id, unidentified_study FOR UPDATE

-- add_deletion
-- Enters one act of deleting or restoring; repeating it changes nothing.
INSERT INTO deletion (at, restores, deletion_key, subject, reason)
VALUES (%(at)s, %(restores)s, %(deletion_key)s, %(subject)s, %(reason)s)
ON CONFLICT (deletion_key) DO UPDATE SET at = EXCLUDED.at
RETURNING deletion_pk

-- delete_instances
-- Moves instances among the deleted; tells how many of which series, study and patient.
WITH gone AS (
    DELETE FROM instance USING series, study
    WHERE instance.series_pk = series.series_pk AND series.study_pk = study.study_pk
        AND (instance.sop_instance_uid, instance.digest, instance.received_at)
            IN (SELECT * FROM unnest(%(uids)s::text[], %(digests)s::bytea[], %(times)s::bigint[]))
    RETURNING instance.sop_instance_uid, instance.digest, instance.received_at, instance.pack_pk,
        series.series_instance_uid, study.study_instance_uid, series.series_pk, study.study_pk, study.patient_pk
), moved AS (
    INSERT INTO deleted (
        deletion_pk, pack_pk, received_at, digest, sop_instance_uid, series_instance_uid, study_instance_uid
    )
    SELECT %(deletion_pk)s, pack_pk, received_at, digest, sop_instance_uid, series_instance_uid, study_instance_uid
    FROM gone
)
SELECT series_pk, study_pk, patient_pk, count(*) FROM gone GROUP BY series_pk, study_pk, patient_pk

-- delete_conflicts
-- Moves conflicts among the deleted.
WITH gone AS (
    DELETE FROM conflict
    WHERE (sop_instance_uid, digest, received_at)
        IN (SELECT * FROM unnest(%(uids)s::text[], %(digests)s::bytea[], %(times)s::bigint[]))
    RETURNING *
)
INSERT INTO deleted (
    deletion_pk, pack_pk, received_at, digest, sop_instance_uid, series_instance_uid, study_instance_uid
)
SELECT %(deletion_pk)s, pack_pk, received_at, digest, sop_instance_uid, series_instance_uid, study_instance_uid
FROM gone

-- drop_empty_series
-- Removes those of these series in which nothing is left.
DELETE FROM series WHERE series_pk = ANY(%(keys)s) AND number_of_series_related_instances = 0

-- drop_empty_studies
-- Removes those of these studies in which nothing is left.
DELETE FROM study WHERE study_pk = ANY(%(keys)s) AND number_of_study_related_instances = 0

-- drop_empty_patients
-- Removes those of these patients of whom no study is left.
DELETE FROM patient WHERE patient_pk = ANY(%(keys)s)
    AND NOT EXISTS (SELECT FROM study WHERE study.patient_pk = patient.patient_pk)

-- forget_series
-- Opens a series, whose attributes came from a deleted instance, to what any other instance says.
UPDATE series SET first_received_at = 9223372036854775807
WHERE series_pk = ANY(%(keys)s) AND first_sop_instance_uid = ANY(%(uids)s)
RETURNING series_pk

-- forget_studies
-- The same for studies.
UPDATE study SET first_received_at = 9223372036854775807
WHERE study_pk = ANY(%(keys)s) AND first_sop_instance_uid = ANY(%(uids)s)
RETURNING study_pk

-- forget_patients
-- The same for patients.
UPDATE patient SET first_received_at = 9223372036854775807
WHERE patient_pk = ANY(%(keys)s) AND first_sop_instance_uid = ANY(%(uids)s)
RETURNING patient_pk

-- next_firsts
-- Finds, for each series, study and patient that was opened, the instance received first of those that are left.
(SELECT DISTINCT ON (series_pk) pack.pack_key, pack.size, instance.sop_instance_uid
    FROM instance JOIN pack USING (pack_pk) WHERE instance.series_pk = ANY(%(series)s)
    ORDER BY series_pk, received_at, sop_instance_uid)
UNION
(SELECT DISTINCT ON (study_pk) pack.pack_key, pack.size, instance.sop_instance_uid
    FROM series JOIN instance USING (series_pk) JOIN pack USING (pack_pk) WHERE series.study_pk = ANY(%(studies)s)
    ORDER BY study_pk, received_at, sop_instance_uid)
UNION
(SELECT DISTINCT ON (patient_pk) pack.pack_key, pack.size, instance.sop_instance_uid
    FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk) JOIN pack USING (pack_pk)
    WHERE study.patient_pk = ANY(%(patients)s)
    ORDER BY patient_pk, received_at, sop_instance_uid)

-- restorable
-- Lists what was deleted of a study, a series of it, or one instance, and in which packs it is.
SELECT sop_instance_uid, digest, received_at, series_instance_uid, study_instance_uid, pack_key, size
FROM deleted JOIN pack USING (pack_pk)
WHERE study_instance_uid = %(study)s
    AND series_instance_uid = coalesce(%(series)s, series_instance_uid)
    AND sop_instance_uid = coalesce(%(instance)s, sop_instance_uid)

-- take_back
-- Takes instances from among the deleted.
DELETE FROM deleted
WHERE (sop_instance_uid, digest, received_at)
    IN (SELECT * FROM unnest(%(uids)s::text[], %(digests)s::bytea[], %(times)s::bigint[]))
RETURNING sop_instance_uid, digest, received_at

-- add_deleted
-- Enters an instance that a rebuild finds in a pack and among the acts of deletion.
INSERT INTO deleted (
    deletion_pk, pack_pk, received_at, digest, sop_instance_uid, series_instance_uid, study_instance_uid
)
SELECT deletion_pk, %(pack_pk)s, %(received_at)s, %(digest)s, %(sop_instance_uid)s, %(series_instance_uid)s,
    %(study_instance_uid)s
FROM deletion WHERE deletion_key = %(deletion_key)s
ON CONFLICT DO NOTHING

-- deletion_keys
-- Lists the acts that were carried out.
SELECT deletion_key FROM deletion
