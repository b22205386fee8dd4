"""What is still to be done: forwarding, Storage Commitment, notifications; and what modalities say they performed.

No row here is made from packs and none refers to one by key: the tables of instances may be emptied and rebuilt beside
them.
"""

from alembic import op

revision = "h0004"
down_revision = "h0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    # '' and NULL match everything; hours are local, from 0 to 24, and may pass midnight.
    """
    CREATE TABLE forward_rule (
        rule_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        destination text COLLATE "C" NOT NULL CHECK (length(destination) BETWEEN 1 AND 16),
        sends text COLLATE "C" NOT NULL CHECK (sends IN ('instances', 'availability')),
        modality text COLLATE "C" NOT NULL,
        calling_ae_title text COLLATE "C" NOT NULL,
        body_part_examined text COLLATE "C" NOT NULL,
        from_hour int NOT NULL CHECK (from_hour BETWEEN 0 AND 23),
        until_hour int NOT NULL CHECK (until_hour BETWEEN 1 AND 24),
        UNIQUE (destination, sends, modality, calling_ae_title, body_part_examined, from_hour, until_hour)
    )
    """,
    # How often in a row a destination did not answer: what is due for it waits longer each time.
    """
    CREATE TABLE errand (
        kind text COLLATE "C" NOT NULL,
        destination text COLLATE "C" NOT NULL,
        failures int NOT NULL,
        retry_at timestamptz NOT NULL,
        PRIMARY KEY (kind, destination)
    )
    """,
    """
    CREATE TABLE delivery (
        delivery_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        destination text COLLATE "C" NOT NULL,
        sop_instance_uid text COLLATE "C" NOT NULL,
        queued_at timestamptz NOT NULL DEFAULT now(),
        acknowledged_at timestamptz,
        failed_at timestamptz,
        refusals int NOT NULL DEFAULT 0,
        reason text NOT NULL DEFAULT '',
        UNIQUE (destination, sop_instance_uid)
    )
    """,
    """
    CREATE INDEX delivery_due ON delivery (destination, refusals, delivery_pk)
        WHERE acknowledged_at IS NULL AND failed_at IS NULL
    """,
    """
    CREATE TABLE availability (
        destination text COLLATE "C" NOT NULL,
        study_instance_uid text COLLATE "C" NOT NULL,
        queued_at timestamptz NOT NULL DEFAULT now(),
        due_at timestamptz NOT NULL,
        PRIMARY KEY (destination, study_instance_uid)
    )
    """,
    # Until held_until the receiver that took the request may report on its own association.
    """
    CREATE TABLE commitment (
        commitment_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        transaction_uid text COLLATE "C" NOT NULL,
        calling_ae_title text COLLATE "C" NOT NULL,
        requested_at timestamptz NOT NULL DEFAULT now(),
        held_until timestamptz NOT NULL,
        decided_at timestamptz,
        reported_at timestamptz,
        given_up_at timestamptz
    )
    """,
    "CREATE INDEX commitment_by_transaction ON commitment (calling_ae_title, transaction_uid)",
    """
    CREATE INDEX commitment_due ON commitment (calling_ae_title, commitment_pk)
        WHERE reported_at IS NULL AND given_up_at IS NULL
    """,
    # failure_reason: NULL while undecided, 0 for an instance that is safe, else (0008,1197)
    """
    CREATE TABLE commitment_instance (
        commitment_pk bigint NOT NULL REFERENCES commitment ON DELETE CASCADE,
        place int NOT NULL,
        sop_class_uid text COLLATE "C" NOT NULL,
        sop_instance_uid text COLLATE "C" NOT NULL,
        failure_reason int,
        PRIMARY KEY (commitment_pk, place)
    )
    """,
    # The pack in which an instance was found whole, read from the object store itself.
    """
    CREATE TABLE read_back (
        sop_instance_uid text COLLATE "C" PRIMARY KEY,
        pack_key text COLLATE "C" NOT NULL,
        read_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE performed_procedure_step (
        sop_instance_uid text COLLATE "C" PRIMARY KEY,
        calling_ae_title text COLLATE "C" NOT NULL,
        performed_procedure_step_status text COLLATE "C" NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now(),
        arrived_at timestamptz,
        study_instance_uids text[] COLLATE "C" NOT NULL,
        referenced_sop_instance_uids text[] COLLATE "C" NOT NULL,
        attributes jsonb NOT NULL
    )
    """,
    """
    CREATE INDEX performed_procedure_step_waiting ON performed_procedure_step USING gin (study_instance_uids)
        WHERE arrived_at IS NULL
    """,
)


def upgrade() -> None:
    """Make the tables in the schema that the search path names."""
    for statement in STATEMENTS:
        op.execute(statement)
