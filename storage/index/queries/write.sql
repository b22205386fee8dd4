-- known_digests
-- Tells for each SOP Instance UID what is kept under it: the instance itself, conflicts, and what was deleted when.
SELECT sop_instance_uid, digest, 'instance', received_at, 0
FROM instance WHERE sop_instance_uid = ANY(%(sop_instance_uids)s)
UNION ALL
SELECT sop_instance_uid, digest, 'conflict', received_at, 0
FROM conflict WHERE sop_instance_uid = ANY(%(sop_instance_uids)s)
UNION ALL
SELECT sop_instance_uid, digest, 'deleted', received_at, at
FROM deleted JOIN deletion USING (deletion_pk) WHERE sop_instance_uid = ANY(%(sop_instance_uids)s)

-- add_pack
-- Enters a pack object and gives its row; meets `claim_unreferenced` at the unique key, so one waits for the other.
INSERT INTO pack (
    pack_key, size, metadata_offset, metadata_length, metadata_size, metadata_crc32, metadata_deflated
) VALUES (
    %(pack_key)s, %(size)s, %(metadata_offset)s, %(metadata_length)s, %(metadata_size)s, %(metadata_crc32)s,
    %(metadata_deflated)s
)
ON CONFLICT (pack_key) DO UPDATE SET size = EXCLUDED.size
RETURNING pack_pk

-- add_patient
-- Adds a patient, or takes over what an instance received earlier says; either way locks the row till the end.
INSERT INTO patient (
    issuer_of_patient_id, patient_id, unidentified_study, patient_name, patient_name_folded,
    patient_birth_date, patient_sex, first_received_at, first_sop_instance_uid
) VALUES (
    %(issuer_of_patient_id)s, %(patient_id)s, %(unidentified_study)s, %(patient_name)s, %(patient_name_folded)s,
    %(patient_birth_date)s, %(patient_sex)s, %(first_received_at)s, %(first_sop_instance_uid)s
)
ON CONFLICT (issuer_of_patient_id, patient_id, unidentified_study) DO UPDATE SET
    patient_name = EXCLUDED.patient_name,
    patient_name_folded = EXCLUDED.patient_name_folded,
    patient_birth_date = EXCLUDED.patient_birth_date,
    patient_sex = EXCLUDED.patient_sex,
    first_received_at = EXCLUDED.first_received_at,
    first_sop_instance_uid = EXCLUDED.first_sop_instance_uid
WHERE (EXCLUDED.first_received_at, EXCLUDED.first_sop_instance_uid)
    < (patient.first_received_at, patient.first_sop_instance_uid)

-- find_patient
-- Finds the row of a patient.
SELECT patient_pk FROM patient
WHERE issuer_of_patient_id = %(issuer_of_patient_id)s
    AND patient_id = %(patient_id)s AND unidentified_study = %(unidentified_study)s

-- add_study
-- Adds a study of a patient, or takes over what an instance received earlier says.
INSERT INTO study (
    patient_pk, study_instance_uid, study_date, study_time, accession_number, study_id, study_description,
    referring_physician_name, referring_physician_name_folded, issuer_of_patient_id, patient_id, patient_name,
    patient_name_folded, patient_birth_date, patient_sex, attributes, first_received_at, first_sop_instance_uid,
    number_of_study_related_series, number_of_study_related_instances, modalities_in_study
) VALUES (
    %(patient_pk)s, %(study_instance_uid)s, %(study_date)s, %(study_time)s, %(accession_number)s, %(study_id)s,
    %(study_description)s, %(referring_physician_name)s, %(referring_physician_name_folded)s,
    %(issuer_of_patient_id)s, %(patient_id)s, %(patient_name)s,
    %(patient_name_folded)s, %(patient_birth_date)s, %(patient_sex)s, %(attributes)s, %(first_received_at)s,
    %(first_sop_instance_uid)s, 0, 0, '{}'
)
ON CONFLICT (patient_pk, study_instance_uid) DO UPDATE SET
    study_date = EXCLUDED.study_date,
    study_time = EXCLUDED.study_time,
    accession_number = EXCLUDED.accession_number,
    study_id = EXCLUDED.study_id,
    study_description = EXCLUDED.study_description,
    referring_physician_name = EXCLUDED.referring_physician_name,
    referring_physician_name_folded = EXCLUDED.referring_physician_name_folded,
    patient_name = EXCLUDED.patient_name,
    patient_name_folded = EXCLUDED.patient_name_folded,
    patient_birth_date = EXCLUDED.patient_birth_date,
    patient_sex = EXCLUDED.patient_sex,
    attributes = EXCLUDED.attributes,
    first_received_at = EXCLUDED.first_received_at,
    first_sop_instance_uid = EXCLUDED.first_sop_instance_uid
WHERE (EXCLUDED.first_received_at, EXCLUDED.first_sop_instance_uid)
    < (study.first_received_at, study.first_sop_instance_uid)

-- find_study
-- Finds the row of a study of a patient.
SELECT study_pk FROM study WHERE patient_pk = %(patient_pk)s AND study_instance_uid = %(study_instance_uid)s

-- add_series
-- Adds a series of a study, or takes over what an instance received earlier says.
INSERT INTO series (
    study_pk, series_instance_uid, modality, series_number, series_description, body_part_examined,
    performed_procedure_step_start_date, performed_procedure_step_start_time, station_name,
    institutional_department_name, attributes, first_received_at, first_sop_instance_uid,
    number_of_series_related_instances
) VALUES (
    %(study_pk)s, %(series_instance_uid)s, %(modality)s, %(series_number)s, %(series_description)s,
    %(body_part_examined)s, %(performed_procedure_step_start_date)s, %(performed_procedure_step_start_time)s,
    %(station_name)s, %(institutional_department_name)s, %(attributes)s, %(first_received_at)s,
    %(first_sop_instance_uid)s, 0
)
ON CONFLICT (study_pk, series_instance_uid) DO UPDATE SET
    modality = EXCLUDED.modality,
    series_number = EXCLUDED.series_number,
    series_description = EXCLUDED.series_description,
    body_part_examined = EXCLUDED.body_part_examined,
    performed_procedure_step_start_date = EXCLUDED.performed_procedure_step_start_date,
    performed_procedure_step_start_time = EXCLUDED.performed_procedure_step_start_time,
    station_name = EXCLUDED.station_name,
    institutional_department_name = EXCLUDED.institutional_department_name,
    attributes = EXCLUDED.attributes,
    first_received_at = EXCLUDED.first_received_at,
    first_sop_instance_uid = EXCLUDED.first_sop_instance_uid
WHERE (EXCLUDED.first_received_at, EXCLUDED.first_sop_instance_uid)
    < (series.first_received_at, series.first_sop_instance_uid)

-- find_series
-- Finds the row of a series of a study.
SELECT series_pk FROM series WHERE study_pk = %(study_pk)s AND series_instance_uid = %(series_instance_uid)s

-- add_instance
-- Adds an instance; a second one under the same UID is an error, which tells a racing worker to look again.
INSERT INTO instance (
    series_pk, pack_pk, member_offset, member_length, envelope_offset, envelope_length, received_at, received_size,
    stored_size, before, place_in_pack, instance_number, number_of_frames, rows, columns, bits_allocated, deflated, digest,
    sop_instance_uid, sop_class_uid, transfer_syntax_uid, received_transfer_syntax_uid, content_date, content_time,
    verdict, reason, frames
) VALUES (
    %(series_pk)s, %(pack_pk)s, %(member_offset)s, %(member_length)s, %(envelope_offset)s, %(envelope_length)s,
    %(received_at)s, %(received_size)s, %(stored_size)s, %(before)s, %(place_in_pack)s, %(instance_number)s,
    %(number_of_frames)s, %(rows)s, %(columns)s, %(bits_allocated)s, %(deflated)s, %(digest)s, %(sop_instance_uid)s, %(sop_class_uid)s,
    %(transfer_syntax_uid)s, %(received_transfer_syntax_uid)s, %(content_date)s, %(content_time)s, %(verdict)s,
    %(reason)s, %(frames)s
)

-- add_conflict
-- Keeps another data set under the UID of a stored instance; repeating it changes nothing.
INSERT INTO conflict (
    pack_pk, member_offset, member_length, envelope_offset, envelope_length, received_at, received_size, stored_size,
    before, instance_number, number_of_frames, rows, columns, deflated, digest, sop_instance_uid, sop_class_uid,
    series_instance_uid, study_instance_uid, transfer_syntax_uid, received_transfer_syntax_uid, frames
) VALUES (
    %(pack_pk)s, %(member_offset)s, %(member_length)s, %(envelope_offset)s, %(envelope_length)s, %(received_at)s,
    %(received_size)s, %(stored_size)s, %(before)s, %(instance_number)s, %(number_of_frames)s, %(rows)s, %(columns)s,
    %(deflated)s, %(digest)s, %(sop_instance_uid)s, %(sop_class_uid)s, %(series_instance_uid)s,
    %(study_instance_uid)s, %(transfer_syntax_uid)s, %(received_transfer_syntax_uid)s, %(frames)s
)
ON CONFLICT DO NOTHING

-- count_instances
-- Adds new instances to the count of their series.
UPDATE series SET number_of_series_related_instances = number_of_series_related_instances + %(added)s
WHERE series_pk = %(series_pk)s

-- summarise_study
-- Brings a study's counts and modalities up to date; its row is locked already, so no other worker is in between.
UPDATE study SET
    number_of_study_related_instances = summary.instances,
    number_of_study_related_series = summary.series,
    modalities_in_study = summary.modalities
FROM (
    SELECT
        coalesce(sum(number_of_series_related_instances), 0) AS instances,
        count(*) AS series,
        coalesce(array_agg(DISTINCT modality) FILTER (WHERE modality <> ''), '{}') AS modalities
    FROM series WHERE study_pk = %(study_pk)s
) AS summary
WHERE study_pk = %(study_pk)s

-- claim_unreferenced
-- Enters a pack that nobody references, for the time of a deletion; no row comes back when somebody does.
INSERT INTO pack (
    pack_key, size, metadata_offset, metadata_length, metadata_size, metadata_crc32, metadata_deflated
) VALUES (%(pack_key)s, 0, 0, 0, 0, 0, false)
ON CONFLICT (pack_key) DO NOTHING RETURNING pack_pk

-- drop_pack
-- Takes that entry back.
DELETE FROM pack WHERE pack_pk = %(pack_pk)s
