"""Modalities: where each listens, what it may do, how it wants answers; and who called without being known."""

from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Rows of before could store and nothing else; so they stay.
    """
    ALTER TABLE modality
        ADD COLUMN port integer CHECK (port BETWEEN 1 AND 65535),
        ADD COLUMN tls boolean NOT NULL DEFAULT false,
        ADD COLUMN rights text[] NOT NULL DEFAULT '{store}' CHECK (
            rights <@ ARRAY['store', 'query', 'retrieve', 'commit', 'worklist', 'mpps', 'destination']
        ),
        ADD COLUMN transfer_syntaxes text[] NOT NULL DEFAULT '{}',
        ADD COLUMN character_set text NOT NULL DEFAULT '',
        ADD COLUMN note text NOT NULL DEFAULT '' CHECK (length(note) <= 1000),
        ADD CHECK (port IS NULL OR masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END)
    """,
    "ALTER TABLE modality ALTER COLUMN rights DROP DEFAULT",
    # An AE title that we call must be at one place: a C-MOVE names nothing but the title.
    "CREATE UNIQUE INDEX modality_reach ON modality (hospital, ae_title) WHERE port IS NOT NULL",
    """
    CREATE TABLE stranger (
        stranger bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        calling text COLLATE "C" NOT NULL CHECK (length(calling) <= 64),
        called text COLLATE "C" NOT NULL CHECK (length(called) <= 64),
        address inet NOT NULL,
        first_seen timestamptz NOT NULL DEFAULT now(),
        last_seen timestamptz NOT NULL DEFAULT now(),
        times bigint NOT NULL CHECK (times > 0),
        UNIQUE (calling, called, address)
    )
    """,
    "CREATE INDEX stranger_last_seen ON stranger (last_seen)",
    "CREATE INDEX stranger_address ON stranger (address, last_seen)",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
