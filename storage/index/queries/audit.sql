-- add_audit
-- Records one act; the time is the database's.
INSERT INTO audit (
    subject, source, act, outcome, study_instance_uid, series_instance_uid, sop_instance_uid, detail
) VALUES (
    %(subject)s, %(source)s, %(act)s, %(outcome)s, %(study_instance_uid)s, %(series_instance_uid)s,
    %(sop_instance_uid)s, %(detail)s
)

-- audit_rows
-- Lists what was recorded, the newest first.
SELECT subject, source, act, outcome, study_instance_uid, series_instance_uid, sop_instance_uid, detail, at
FROM audit ORDER BY audit_pk DESC LIMIT %(limit)s
