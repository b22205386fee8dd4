"""Which access tokens may delete."""

from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the right, which no token has unless it was issued so."""
    op.execute("ALTER TABLE access_token ADD COLUMN may_delete boolean NOT NULL DEFAULT false")
