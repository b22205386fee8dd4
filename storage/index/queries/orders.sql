-- put_step
-- Enters a scheduled procedure step, or replaces all of it but its status and its requested procedure's study.
INSERT INTO scheduled_procedure_step AS known (
    accession_number, scheduled_procedure_step_id, scheduled_procedure_step_status,
    scheduled_procedure_step_start_date, scheduled_procedure_step_start_time, modality, scheduled_station_ae_title,
    scheduled_performing_physician_name_folded, requested_procedure_id, study_instance_uid, patient_id,
    patient_name_folded, attributes
)
VALUES (
    %(accession_number)s, %(scheduled_procedure_step_id)s,
    coalesce(nullif(%(scheduled_procedure_step_status)s, ''), 'SCHEDULED'),
    %(scheduled_procedure_step_start_date)s, %(scheduled_procedure_step_start_time)s, %(modality)s,
    %(scheduled_station_ae_title)s, %(scheduled_performing_physician_name_folded)s, %(requested_procedure_id)s,
    coalesce(
        nullif(%(study_instance_uid)s, ''),
        (
            SELECT other.study_instance_uid FROM scheduled_procedure_step AS other
            WHERE other.accession_number = %(accession_number)s
                AND other.requested_procedure_id = %(requested_procedure_id)s LIMIT 1
        ),
        %(new_study_instance_uid)s
    ),
    %(patient_id)s, %(patient_name_folded)s, %(attributes)s
)
ON CONFLICT (accession_number, scheduled_procedure_step_id) DO UPDATE SET
    scheduled_procedure_step_status
        = coalesce(nullif(%(scheduled_procedure_step_status)s, ''), known.scheduled_procedure_step_status),
    scheduled_procedure_step_start_date = excluded.scheduled_procedure_step_start_date,
    scheduled_procedure_step_start_time = excluded.scheduled_procedure_step_start_time,
    modality = excluded.modality,
    scheduled_station_ae_title = excluded.scheduled_station_ae_title,
    scheduled_performing_physician_name_folded = excluded.scheduled_performing_physician_name_folded,
    requested_procedure_id = excluded.requested_procedure_id,
    study_instance_uid = coalesce(nullif(%(study_instance_uid)s, ''), known.study_instance_uid),
    patient_id = excluded.patient_id,
    patient_name_folded = excluded.patient_name_folded,
    attributes = excluded.attributes

-- find_steps
-- Lists scheduled procedure steps; conditions are added.
SELECT
    attributes, study_instance_uid, scheduled_procedure_step_status, scheduled_procedure_step_start_date,
    scheduled_procedure_step_start_time, step_pk
FROM scheduled_procedure_step

-- steps_order
-- Earliest first, a page of them.
ORDER BY scheduled_procedure_step_start_date, scheduled_procedure_step_start_time, step_pk LIMIT %(limit)s

-- change_step_status
-- Says how far a scheduled procedure step is; an empty step means all of the accession number.
UPDATE scheduled_procedure_step SET scheduled_procedure_step_status = %(status)s
WHERE accession_number = %(accession_number)s
    AND (%(scheduled_procedure_step_id)s = '' OR scheduled_procedure_step_id = %(scheduled_procedure_step_id)s)
