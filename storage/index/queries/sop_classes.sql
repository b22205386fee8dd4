-- sop_classes_in_study
-- Lists the SOP classes of a study's instances.
SELECT DISTINCT instance.sop_class_uid
FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk)
WHERE study.study_instance_uid = %(study_instance_uid)s ORDER BY 1
