"""Indexes for searches: any part of an identifier, a patient by name or ID, a series by its request.

Viewers ask for ``*text*``, which only trigrams can serve; where the extension is missing, searches are only slower.
"""

from alembic import op

revision = "h0005"
down_revision = "h0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    "CREATE INDEX patient_by_patient_id ON patient (patient_id)",
    # Request Attributes Sequence, the only one that the standard has matched
    "CREATE INDEX series_by_request ON series USING gin ((attributes -> '00400275') jsonb_path_ops)",
    """
    DO $$ DECLARE place text; one record; BEGIN
        SELECT n.nspname INTO place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_trgm';
        IF place IS NULL THEN RETURN; END IF;
        FOR one IN SELECT * FROM (VALUES
            ('patient_by_part_of_name', 'patient', '('' '' || patient_name_folded || '' '')'),
            ('patient_by_part_of_id', 'patient', 'patient_id'),
            ('study_by_part_of_patient_id', 'study', 'patient_id'),
            ('study_by_part_of_accession_number', 'study', 'accession_number'),
            ('study_by_part_of_description', 'study', 'study_description'),
            ('study_by_part_of_referring_physician', 'study', '('' '' || referring_physician_name_folded || '' '')')
        ) AS wanted(name, place, what) LOOP
            EXECUTE format(
                'CREATE INDEX %I ON %I USING gin (%s %I.gin_trgm_ops)', one.name, one.place, one.what, place);
        END LOOP;
    END $$
    """,
    """
    CREATE INDEX series_by_performed_date ON series (performed_procedure_step_start_date)
    WHERE performed_procedure_step_start_date <> ''
    """,
    "CREATE INDEX study_by_study_id ON study (study_id) WHERE study_id <> ''",
)


def upgrade() -> None:
    """Make the indexes."""
    for statement in STATEMENTS:
        op.execute(statement)
