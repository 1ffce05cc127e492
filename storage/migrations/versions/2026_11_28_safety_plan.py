"""The safety plan that somebody keeps."""

import sqlalchemy as sa
from alembic import op

from storage.tables import Ciphertext

revision = "2026_11_28_safety_plan"
down_revision = "2026_11_23_memory"


def upgrade() -> None:
    op.add_column("user", sa.Column("safety_plan", Ciphertext))
