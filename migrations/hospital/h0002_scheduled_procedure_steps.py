"""Orders: the scheduled procedure steps that modalities ask for (PS3.4 K.6.1.2.2)."""

from alembic import op

revision = "h0002"
down_revision = "h0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    # What is matched has a column; the whole item of the worklist is DICOM JSON, ready to be served. An order that
    # comes again (a RIS repeats itself) has the same two numbers and replaces what was known.
    """
    CREATE TABLE scheduled_procedure_step (
        step_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        accession_number text COLLATE "C" NOT NULL,
        scheduled_procedure_step_id text COLLATE "C" NOT NULL,
        scheduled_procedure_step_status text COLLATE "C" NOT NULL,
        scheduled_procedure_step_start_date text COLLATE "C" NOT NULL,
        scheduled_procedure_step_start_time text COLLATE "C" NOT NULL,
        modality text COLLATE "C" NOT NULL,
        scheduled_station_ae_title text[] COLLATE "C" NOT NULL,
        scheduled_performing_physician_name_folded text COLLATE "C" NOT NULL,
        requested_procedure_id text COLLATE "C" NOT NULL,
        study_instance_uid text COLLATE "C" NOT NULL,
        patient_id text COLLATE "C" NOT NULL,
        patient_name_folded text COLLATE "C" NOT NULL,
        attributes jsonb NOT NULL,
        UNIQUE (accession_number, scheduled_procedure_step_id)
    )
    """,
    """
    CREATE INDEX scheduled_procedure_step_by_start ON scheduled_procedure_step
        (scheduled_procedure_step_start_date, scheduled_procedure_step_start_time, step_pk)
    """,
    "CREATE INDEX scheduled_procedure_step_by_patient_id ON scheduled_procedure_step (patient_id)",
    "CREATE INDEX scheduled_procedure_step_by_study ON scheduled_procedure_step (study_instance_uid)",
)


def upgrade() -> None:
    """Make the table in the schema that the search path names."""
    for statement in STATEMENTS:
        op.execute(statement)
