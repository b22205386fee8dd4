"""What was deleted and may still come back, which packs were replaced, and who did what.

A deleted instance keeps only what finds it again in its pack; all its other rows are made anew from there when it is
restored. The hospital's role may add audit rows and read them, never change one (see `storage.index.migrate`).
"""

from alembic import op

revision = "h0003"
down_revision = "h0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    # One act of deleting or restoring; the same is an object in the store, under this key.
    """
    CREATE TABLE deletion (
        deletion_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at bigint NOT NULL,
        restores boolean NOT NULL,
        deletion_key text COLLATE "C" NOT NULL UNIQUE,
        subject text COLLATE "C" NOT NULL,
        reason text COLLATE "C" NOT NULL
    )
    """,
    # received_at tells an instance that was sent again after its deletion from the one that was deleted
    """
    CREATE TABLE deleted (
        deletion_pk bigint NOT NULL REFERENCES deletion,
        pack_pk bigint NOT NULL REFERENCES pack,
        received_at bigint NOT NULL,
        digest bytea NOT NULL CHECK (length(digest) = 32),
        sop_instance_uid text COLLATE "C" NOT NULL,
        series_instance_uid text COLLATE "C" NOT NULL,
        study_instance_uid text COLLATE "C" NOT NULL,
        PRIMARY KEY (sop_instance_uid, digest, received_at)
    )
    """,
    "CREATE INDEX deleted_by_pack ON deleted (pack_pk)",
    "CREATE INDEX deleted_by_study ON deleted (study_instance_uid)",
    # Packs that compaction replaced: readers may still hold their places, so a sweep lets them lie for a while.
    """
    CREATE TABLE retired_pack (
        pack_key text COLLATE "C" PRIMARY KEY,
        retired_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE audit (
        audit_pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        subject text COLLATE "C" NOT NULL,
        source text COLLATE "C" NOT NULL,
        act text COLLATE "C" NOT NULL,
        outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('success', 'warning', 'failure')),
        study_instance_uid text COLLATE "C" NOT NULL,
        series_instance_uid text COLLATE "C" NOT NULL,
        sop_instance_uid text COLLATE "C" NOT NULL,
        detail jsonb NOT NULL
    )
    """,
    "CREATE INDEX audit_by_time ON audit (at)",
    "CREATE INDEX audit_by_study ON audit (study_instance_uid)",
)


def upgrade() -> None:
    """Make the tables in the schema that the search path names."""
    for statement in STATEMENTS:
        op.execute(statement)
