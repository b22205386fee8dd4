"""Deliveries for which the destination is asked to commit: what it was asked under, and when it said yes.

A delivery is to be committed when any rule to its destination asked for it at the moment it was queued.
"""

from alembic import op

revision = "h0006"
down_revision = "h0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE forward_rule ADD COLUMN to_commit boolean NOT NULL DEFAULT false",
    """
    ALTER TABLE delivery
        ADD COLUMN to_commit boolean NOT NULL DEFAULT false,
        ADD COLUMN transaction_uid text COLLATE "C",
        ADD COLUMN asked_at timestamptz,
        ADD COLUMN committed_at timestamptz
    """,
    """
    CREATE INDEX delivery_uncommitted ON delivery (destination, delivery_pk)
        WHERE to_commit AND acknowledged_at IS NOT NULL AND committed_at IS NULL AND failed_at IS NULL
    """,
    "CREATE INDEX delivery_by_transaction ON delivery (transaction_uid) WHERE transaction_uid IS NOT NULL",
)


def upgrade() -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
