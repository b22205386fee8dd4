-- patient_page
-- Finds patients with what their first study says of them and how much there is of theirs.
SELECT
    coalesce((
        SELECT study.attributes FROM study WHERE study.patient_pk = patient.patient_pk
        ORDER BY study.first_received_at, study.first_sop_instance_uid LIMIT 1
    ), '{}') AS study_attributes,
    (SELECT count(*) FROM study WHERE study.patient_pk = patient.patient_pk) AS number_of_patient_related_studies,
    (
        SELECT coalesce(sum(study.number_of_study_related_series), 0)::bigint
        FROM study WHERE study.patient_pk = patient.patient_pk
    ) AS number_of_patient_related_series,
    (
        SELECT coalesce(sum(study.number_of_study_related_instances), 0)::bigint
        FROM study WHERE study.patient_pk = patient.patient_pk
    ) AS number_of_patient_related_instances,
    patient.patient_pk AS key_patient_pk
FROM patient

-- study_page
-- Finds studies; conditions, order and page are added.
SELECT
    study.attributes AS study_attributes, study.modalities_in_study, study.number_of_study_related_series,
    study.number_of_study_related_instances, study.study_date AS key_study_date, study.study_time AS key_study_time,
    study.study_instance_uid AS key_study_instance_uid, study.study_pk AS key_study_pk
FROM study

-- series_page
-- Finds series with what their study says; conditions, order and page are added.
SELECT
    study.attributes AS study_attributes, study.modalities_in_study, study.number_of_study_related_series,
    study.number_of_study_related_instances,
    series.attributes AS series_attributes, series.number_of_series_related_instances,
    study.study_date AS key_study_date, study.study_time AS key_study_time,
    study.study_instance_uid AS key_study_instance_uid, study.study_pk AS key_study_pk,
    coalesce(series.series_number, 2147483647) AS key_series_number,
    series.series_instance_uid AS key_series_instance_uid
FROM study JOIN series USING (study_pk)

-- instance_page
-- Finds instances with what their study and series say; conditions, order and page are added.
SELECT
    study.attributes AS study_attributes, study.modalities_in_study, study.number_of_study_related_series,
    study.number_of_study_related_instances,
    series.attributes AS series_attributes, series.number_of_series_related_instances,
    instance.sop_instance_uid, instance.sop_class_uid, instance.instance_number, instance.rows, instance.columns,
    instance.bits_allocated, instance.number_of_frames, instance.content_date, instance.content_time,
    study.study_date AS key_study_date, study.study_time AS key_study_time,
    study.study_instance_uid AS key_study_instance_uid, study.study_pk AS key_study_pk,
    coalesce(series.series_number, 2147483647) AS key_series_number,
    series.series_instance_uid AS key_series_instance_uid,
    coalesce(instance.instance_number, 2147483647) AS key_instance_number,
    instance.sop_instance_uid AS key_sop_instance_uid
FROM study JOIN series USING (study_pk) JOIN instance USING (series_pk)

-- patient_order
-- Patients as they came.
ORDER BY patient.patient_pk

-- study_order
-- Newest studies first; the last column makes the order of pages stable.
ORDER BY study.study_date DESC, study.study_time DESC, study.study_instance_uid, study.study_pk

-- series_order
-- Series of the newest studies first, in the order of their numbers, those without one last.
ORDER BY study.study_date DESC, study.study_time DESC, study.study_instance_uid, study.study_pk,
    coalesce(series.series_number, 2147483647), series.series_instance_uid

-- instance_order
-- Instances of the newest studies first, in the order of series and instance numbers.
ORDER BY study.study_date DESC, study.study_time DESC, study.study_instance_uid, study.study_pk,
    coalesce(series.series_number, 2147483647), series.series_instance_uid,
    coalesce(instance.instance_number, 2147483647), instance.sop_instance_uid

-- patient_after
-- What comes behind a row in that order.
patient.patient_pk > %(key_patient_pk)s

-- study_after
-- What comes behind a row in that order; the first line is what the index understands.
study.study_date <= %(key_study_date)s AND (
    study.study_date < %(key_study_date)s OR study.study_time < %(key_study_time)s OR (
        study.study_time = %(key_study_time)s
        AND (study.study_instance_uid, study.study_pk) > (%(key_study_instance_uid)s, %(key_study_pk)s)
    )
)

-- series_after
-- What comes behind a row in that order.
study.study_date <= %(key_study_date)s AND (
    study.study_date < %(key_study_date)s OR study.study_time < %(key_study_time)s OR (
        study.study_time = %(key_study_time)s
        AND (
            study.study_instance_uid, study.study_pk,
            coalesce(series.series_number, 2147483647), series.series_instance_uid
        ) > (
            %(key_study_instance_uid)s, %(key_study_pk)s, %(key_series_number)s, %(key_series_instance_uid)s
        )
    )
)

-- instance_after
-- What comes behind a row in that order.
study.study_date <= %(key_study_date)s AND (
    study.study_date < %(key_study_date)s OR study.study_time < %(key_study_time)s OR (
        study.study_time = %(key_study_time)s
        AND (
            study.study_instance_uid, study.study_pk,
            coalesce(series.series_number, 2147483647), series.series_instance_uid,
            coalesce(instance.instance_number, 2147483647), instance.sop_instance_uid
        ) > (
            %(key_study_instance_uid)s, %(key_study_pk)s, %(key_series_number)s, %(key_series_instance_uid)s,
            %(key_instance_number)s, %(key_sop_instance_uid)s
        )
    )
)

-- metadata_of_instances
-- Tells for each of these instances which line of which pack's metadata describes it.
SELECT
    instance.sop_instance_uid, pack.pack_key, pack.metadata_offset, pack.metadata_length, pack.metadata_deflated,
    pack.metadata_size, pack.metadata_crc32, instance.place_in_pack
FROM instance JOIN pack USING (pack_pk)
WHERE instance.sop_instance_uid = ANY(%(uids)s)

-- page
-- Cuts one page out.
LIMIT %(limit)s OFFSET %(offset)s

-- rest
-- Counts what comes behind a page, as far as anybody needs to know.
SELECT count(*) FROM ({found}) AS rest

-- bound_search
-- Bounds what one search may cost, and has each planned for its own values: a word may be rare or common.
SELECT
    set_config('statement_timeout', %(milliseconds)s, true), set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('jit', 'off', true)
