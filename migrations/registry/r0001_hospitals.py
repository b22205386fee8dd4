"""The registry: which hospitals there are, who may send to them, who is signed in."""

from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    # Trigrams make a search for a part of a name fast. The extension is trusted (any owner of the database may make
    # it), but a provider may lack it: names are then found by reading every row, and the migration says so.
    """
    DO $$ BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
        RAISE WARNING 'no extension pg_trgm: searching by name will be slow in a large archive';
    END $$
    """,
    """
    CREATE TABLE hospital (
        hospital text COLLATE "C" PRIMARY KEY CHECK (hospital ~ '^[a-z][a-z0-9_]{0,30}$'),
        schema_name text COLLATE "C" NOT NULL UNIQUE,
        role_name text COLLATE "C" NOT NULL UNIQUE,
        ae_title text COLLATE "C" NOT NULL UNIQUE CHECK (length(ae_title) BETWEEN 1 AND 16),
        title text NOT NULL
    )
    """,
    """
    CREATE TABLE modality (
        hospital text COLLATE "C" NOT NULL REFERENCES hospital ON DELETE CASCADE,
        ae_title text COLLATE "C" NOT NULL CHECK (length(ae_title) BETWEEN 1 AND 16),
        address inet NOT NULL,
        PRIMARY KEY (hospital, ae_title, address)
    )
    """,
    """
    CREATE TABLE access_token (
        digest bytea PRIMARY KEY CHECK (length(digest) = 32),
        kind text NOT NULL CHECK (kind IN ('link', 'session', 'bearer')),
        hospital text COLLATE "C" NOT NULL REFERENCES hospital ON DELETE CASCADE,
        subject text NOT NULL,
        issued_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        used_at timestamptz
    )
    """,
    "CREATE INDEX access_token_expires_at ON access_token (expires_at)",
    "CREATE INDEX access_token_subject ON access_token (hospital, subject)",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
