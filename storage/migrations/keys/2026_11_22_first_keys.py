"""The first tables of the key store."""

import sqlalchemy as sa
from alembic import op

from storage.tables import OPTIONS, Ciphertext, Id, Key

revision = "2026_11_22_first_keys"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "data_key",
        sa.Column("user_id", Key, primary_key=True),
        sa.Column("wrapped", Ciphertext, nullable=False),
        **OPTIONS,
    )
    op.create_table(
        "master_key",
        sa.Column("master_key_id", Id, primary_key=True),
        sa.Column("check_value", Ciphertext, nullable=False),
        **OPTIONS,
    )
