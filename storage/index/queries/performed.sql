-- add_performed_step
-- Takes a step that a modality has begun; nothing happens when its UID is known.
INSERT INTO performed_procedure_step (
    sop_instance_uid, calling_ae_title, performed_procedure_step_status, study_instance_uids,
    referenced_sop_instance_uids, attributes
) VALUES (
    %(sop_instance_uid)s, %(calling_ae_title)s, %(performed_procedure_step_status)s, %(study_instance_uids)s,
    %(referenced_sop_instance_uids)s, %(attributes)s
)
ON CONFLICT (sop_instance_uid) DO NOTHING

-- lock_performed_step
-- Finds a step and holds it until the end of the transaction.
SELECT attributes FROM performed_procedure_step WHERE sop_instance_uid = %(sop_instance_uid)s FOR UPDATE

-- change_performed_step
-- Takes over what a modality says of its step now.
UPDATE performed_procedure_step SET
    performed_procedure_step_status = %(performed_procedure_step_status)s, changed_at = now(),
    study_instance_uids = %(study_instance_uids)s, referenced_sop_instance_uids = %(referenced_sop_instance_uids)s,
    attributes = %(attributes)s
WHERE sop_instance_uid = %(sop_instance_uid)s

-- mark_arrived
-- Marks completed steps of these studies of which every referenced instance is here.
UPDATE performed_procedure_step SET arrived_at = now()
WHERE arrived_at IS NULL AND study_instance_uids && %(study_instance_uids)s
    AND performed_procedure_step_status = 'COMPLETED' AND NOT EXISTS (
        SELECT FROM unnest(referenced_sop_instance_uids) AS referenced (uid)
        WHERE NOT EXISTS (SELECT FROM instance WHERE instance.sop_instance_uid = referenced.uid)
    )

-- missing_instances
-- Lists what a step refers to and the archive does not have.
SELECT referenced.uid FROM performed_procedure_step, unnest(referenced_sop_instance_uids) AS referenced (uid)
WHERE performed_procedure_step.sop_instance_uid = %(sop_instance_uid)s
    AND NOT EXISTS (SELECT FROM instance WHERE instance.sop_instance_uid = referenced.uid)
ORDER BY referenced.uid

-- performed_steps
-- Lists the steps that changed last.
SELECT sop_instance_uid, calling_ae_title, performed_procedure_step_status, changed_at, arrived_at IS NOT NULL,
    study_instance_uids, cardinality(referenced_sop_instance_uids), (
        SELECT count(*) FROM unnest(referenced_sop_instance_uids) AS referenced (uid)
        WHERE NOT EXISTS (SELECT FROM instance WHERE instance.sop_instance_uid = referenced.uid)
    )
FROM performed_procedure_step ORDER BY changed_at DESC LIMIT %(limit)s

-- study_is_complete
-- Tells whether all steps of a study have ended, at least one completed, with everything here.
SELECT count(*) FILTER (WHERE arrived_at IS NOT NULL) > 0
    AND count(*) FILTER (WHERE arrived_at IS NULL AND performed_procedure_step_status <> 'DISCONTINUED') = 0
FROM performed_procedure_step WHERE study_instance_uids && ARRAY[%(study_instance_uid)s]
