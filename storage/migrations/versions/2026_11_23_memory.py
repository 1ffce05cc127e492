"""What memory and corrections need: the guess beside the person's own word, an outbox of what to look at again."""

import sqlalchemy as sa
from alembic import op

from storage.tables import Key

revision = "2026_11_23_memory"
down_revision = "2026_11_22_first_tables"


def upgrade() -> None:
    op.add_column("dialog", sa.Column("guessed_emotion", Key))
    op.drop_column("outbox", "attempts")
