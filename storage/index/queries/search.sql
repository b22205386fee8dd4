-- study_page
-- Finds studies; conditions, order and page are added.
SELECT
    study.attributes AS study_attributes, study.modalities_in_study, study.number_of_study_related_series,
    study.number_of_study_related_instances
FROM study

-- series_page
-- Finds series with what their study says; conditions, order and page are added.
SELECT
    study.attributes AS study_attributes, study.modalities_in_study, study.number_of_study_related_series,
    study.number_of_study_related_instances,
    series.attributes AS series_attributes, series.number_of_series_related_instances
FROM study JOIN series USING (study_pk)

-- instance_page
-- Finds instances with what their study and series say; conditions, order and page are added.
SELECT
    study.attributes AS study_attributes, study.modalities_in_study, study.number_of_study_related_series,
    study.number_of_study_related_instances,
    series.attributes AS series_attributes, series.number_of_series_related_instances,
    instance.sop_instance_uid, instance.sop_class_uid, instance.instance_number, instance.rows, instance.columns,
    instance.bits_allocated, instance.number_of_frames, instance.content_date, instance.content_time
FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk)

-- study_order
-- Newest studies first; the last column makes the order of pages stable.
ORDER BY study.study_date DESC, study.study_time DESC, study.study_instance_uid, study.study_pk

-- series_order
-- Series of the newest studies first, in the order of their numbers.
ORDER BY study.study_date DESC, study.study_time DESC, study.study_instance_uid, study.study_pk,
    series.series_number, series.series_instance_uid

-- instance_order
-- Instances of the newest studies first, in the order of series and instance numbers.
ORDER BY study.study_date DESC, study.study_time DESC, study.study_instance_uid, study.study_pk,
    series.series_number, series.series_instance_uid, instance.instance_number, instance.sop_instance_uid

-- page
-- Cuts one page out.
LIMIT %(limit)s OFFSET %(offset)s
