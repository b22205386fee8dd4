"""A hospital's own schema: patients, studies, series, and where the bytes of each instance are.

Instances are by far the most rows (100 million is a usual archive), so that table holds only what finding and reading
an instance needs; everything else is in the packs. UIDs, identifiers, dates and times compare bytewise.
"""

from alembic import op

revision = "h0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    # unidentified_study is the Study Instance UID where the Patient ID is empty: two nameless patients never merge
    """
    CREATE TABLE patient (
        patient_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        issuer_of_patient_id text COLLATE "C" NOT NULL,
        patient_id text COLLATE "C" NOT NULL,
        unidentified_study text COLLATE "C" NOT NULL,
        patient_name text COLLATE "C" NOT NULL,
        patient_name_folded text COLLATE "C" NOT NULL,
        patient_birth_date text COLLATE "C" NOT NULL,
        patient_sex text COLLATE "C" NOT NULL,
        first_received_at bigint NOT NULL,
        first_sop_instance_uid text COLLATE "C" NOT NULL,
        UNIQUE (issuer_of_patient_id, patient_id, unidentified_study)
    )
    """,
    # The patient's attributes stand here as this study brought them: a search finds a study by what it says itself,
    # even when another study of the same Patient ID says something else.
    """
    CREATE TABLE study (
        study_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        patient_pk bigint NOT NULL REFERENCES patient,
        first_received_at bigint NOT NULL,
        number_of_study_related_series int NOT NULL,
        number_of_study_related_instances int NOT NULL,
        study_instance_uid text COLLATE "C" NOT NULL,
        study_date text COLLATE "C" NOT NULL,
        study_time text COLLATE "C" NOT NULL,
        accession_number text COLLATE "C" NOT NULL,
        study_id text COLLATE "C" NOT NULL,
        study_description text COLLATE "C" NOT NULL,
        referring_physician_name text COLLATE "C" NOT NULL,
        referring_physician_name_folded text COLLATE "C" NOT NULL,
        issuer_of_patient_id text COLLATE "C" NOT NULL,
        patient_id text COLLATE "C" NOT NULL,
        patient_name text COLLATE "C" NOT NULL,
        patient_name_folded text COLLATE "C" NOT NULL,
        patient_birth_date text COLLATE "C" NOT NULL,
        patient_sex text COLLATE "C" NOT NULL,
        first_sop_instance_uid text COLLATE "C" NOT NULL,
        modalities_in_study text[] COLLATE "C" NOT NULL,
        attributes jsonb NOT NULL,
        UNIQUE (patient_pk, study_instance_uid)
    )
    """,
    "CREATE INDEX study_by_date ON study (study_date DESC, study_time DESC, study_instance_uid, study_pk)",
    "CREATE INDEX study_by_uid ON study (study_instance_uid)",
    "CREATE INDEX study_by_patient_id ON study (patient_id)",
    "CREATE INDEX study_by_accession_number ON study (accession_number) WHERE accession_number <> ''",
    "CREATE INDEX study_by_modality ON study USING gin (modalities_in_study)",
    # with a space at both ends, so that a whole word is found between spaces; see `storage.index.search`
    """
    DO $$ DECLARE place text; BEGIN
        SELECT n.nspname INTO place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_trgm';
        IF place IS NOT NULL THEN
            EXECUTE format(
                'CREATE INDEX study_by_patient_name ON study
                    USING gin (('' '' || patient_name_folded || '' '') %I.gin_trgm_ops)', place);
        END IF;
    END $$
    """,
    """
    CREATE TABLE series (
        series_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        study_pk bigint NOT NULL REFERENCES study,
        first_received_at bigint NOT NULL,
        series_number int,
        number_of_series_related_instances int NOT NULL,
        series_instance_uid text COLLATE "C" NOT NULL,
        modality text COLLATE "C" NOT NULL,
        series_description text COLLATE "C" NOT NULL,
        body_part_examined text COLLATE "C" NOT NULL,
        performed_procedure_step_start_date text COLLATE "C" NOT NULL,
        performed_procedure_step_start_time text COLLATE "C" NOT NULL,
        station_name text COLLATE "C" NOT NULL,
        institutional_department_name text COLLATE "C" NOT NULL,
        first_sop_instance_uid text COLLATE "C" NOT NULL,
        attributes jsonb NOT NULL,
        UNIQUE (study_pk, series_instance_uid)
    )
    """,
    "CREATE INDEX series_by_uid ON series (series_instance_uid)",
    """
    CREATE TABLE pack (
        pack_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        size bigint NOT NULL,
        metadata_offset bigint NOT NULL,
        metadata_length bigint NOT NULL,
        metadata_size bigint NOT NULL,
        metadata_crc32 bigint NOT NULL,
        metadata_deflated boolean NOT NULL,
        pack_key text COLLATE "C" NOT NULL UNIQUE
    )
    """,
    """
    CREATE TABLE instance (
        series_pk bigint NOT NULL REFERENCES series,
        pack_pk bigint NOT NULL REFERENCES pack,
        member_offset bigint NOT NULL,
        member_length bigint NOT NULL,
        envelope_offset bigint NOT NULL,
        received_at bigint NOT NULL,
        received_size bigint NOT NULL,
        stored_size bigint NOT NULL,
        envelope_length int NOT NULL,
        before int NOT NULL,
        place_in_pack int NOT NULL,
        instance_number int,
        number_of_frames int NOT NULL,
        rows int NOT NULL,
        columns int NOT NULL,
        bits_allocated int NOT NULL,
        deflated boolean NOT NULL,
        digest bytea NOT NULL CHECK (length(digest) = 32),
        sop_instance_uid text COLLATE "C" PRIMARY KEY,
        sop_class_uid text COLLATE "C" NOT NULL,
        transfer_syntax_uid text COLLATE "C" NOT NULL,
        received_transfer_syntax_uid text COLLATE "C" NOT NULL,
        content_date text COLLATE "C" NOT NULL,
        content_time text COLLATE "C" NOT NULL,
        verdict text COLLATE "C" NOT NULL,
        reason text COLLATE "C" NOT NULL,
        frames bytea NOT NULL
    )
    """,
    "CREATE INDEX instance_by_series ON instance (series_pk)",
    "CREATE INDEX instance_by_pack ON instance (pack_pk)",
    # Another data set under the UID of a stored instance: kept whole until an administrator decides.
    """
    CREATE TABLE conflict (
        pack_pk bigint NOT NULL REFERENCES pack,
        member_offset bigint NOT NULL,
        member_length bigint NOT NULL,
        envelope_offset bigint NOT NULL,
        received_at bigint NOT NULL,
        received_size bigint NOT NULL,
        stored_size bigint NOT NULL,
        envelope_length int NOT NULL,
        before int NOT NULL,
        instance_number int,
        number_of_frames int NOT NULL,
        rows int NOT NULL,
        columns int NOT NULL,
        deflated boolean NOT NULL,
        digest bytea NOT NULL CHECK (length(digest) = 32),
        sop_instance_uid text COLLATE "C" NOT NULL,
        sop_class_uid text COLLATE "C" NOT NULL,
        series_instance_uid text COLLATE "C" NOT NULL,
        study_instance_uid text COLLATE "C" NOT NULL,
        transfer_syntax_uid text COLLATE "C" NOT NULL,
        received_transfer_syntax_uid text COLLATE "C" NOT NULL,
        frames bytea NOT NULL,
        PRIMARY KEY (sop_instance_uid, digest)
    )
    """,
    "CREATE INDEX conflict_by_pack ON conflict (pack_pk)",
)


def upgrade() -> None:
    """Make the tables in the schema that the search path names."""
    for statement in STATEMENTS:
        op.execute(statement)
