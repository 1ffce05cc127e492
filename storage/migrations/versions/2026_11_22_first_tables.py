"""The first tables: people, counsels and turns."""

import sqlalchemy as sa
from alembic import op

from storage.tables import OPTIONS, Address, Ciphertext, Id, Key, UTCDateTime

revision = "2026_11_22_first_tables"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "user",
        sa.Column("user_id", Key, primary_key=True),
        sa.Column("password", sa.String(128)),
        sa.Column("name", Ciphertext),
        sa.Column("dt_birth", Ciphertext),
        sa.Column("gender", Ciphertext),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("character_id", Key, nullable=False),
        sa.Column("is_guest", sa.Boolean, nullable=False),
        sa.Column("dt_created", UTCDateTime, nullable=False),
        **OPTIONS,
    )
    op.create_table(
        "account",
        sa.Column("messenger", Key, primary_key=True),
        sa.Column("address", Address, primary_key=True),
        sa.Column("user_id", Key, sa.ForeignKey("user.user_id", ondelete="CASCADE"), nullable=False),
        **OPTIONS,
    )
    op.create_index(None, "account", ["user_id"])
    op.create_table(
        "consent",
        sa.Column("consent_id", Id, primary_key=True),
        sa.Column("user_id", Key, sa.ForeignKey("user.user_id", ondelete="CASCADE"), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("version", Key, nullable=False),
        sa.Column("dt_consent", UTCDateTime, nullable=False),
        sa.Column("messenger", Key, nullable=False),
        **OPTIONS,
    )
    op.create_index(None, "consent", ["user_id"])
    op.create_table(
        "character",
        sa.Column("character_id", Key, primary_key=True),
        sa.Column("character_name", sa.String(255), nullable=False),
        sa.Column("character_model", sa.String(255), nullable=False),
        **OPTIONS,
    )
    op.create_table(
        "counsel",
        sa.Column("counsel_id", Id, primary_key=True),
        sa.Column("character_id", Key, sa.ForeignKey("character.character_id"), nullable=False),
        sa.Column("user_id", Key, sa.ForeignKey("user.user_id", ondelete="CASCADE"), nullable=False),
        sa.Column("dt_start", UTCDateTime, nullable=False),
        sa.Column("dt_end", UTCDateTime),
        sa.Column("character_model", sa.String(255), nullable=False),
        **OPTIONS,
    )
    op.create_index(None, "counsel", ["character_id"])
    op.create_index(None, "counsel", ["user_id", "dt_end"])
    op.create_table(
        "dialog",
        sa.Column("dialog_id", Id, primary_key=True),
        sa.Column("counsel_id", Id, sa.ForeignKey("counsel.counsel_id", ondelete="CASCADE"), nullable=False),
        sa.Column("dt_dialog", UTCDateTime, nullable=False),
        sa.Column("u_message", Ciphertext, nullable=False),
        sa.Column("ai_message", Ciphertext),
        sa.Column("dialog_emotion", Key),
        sa.Column("past_dialog", sa.Text),
        sa.Column("change_dialog", Ciphertext),
        sa.Column("user_id", Key, sa.ForeignKey("user.user_id", ondelete="CASCADE"), nullable=False),
        sa.Column("dt_answered", UTCDateTime),
        sa.Column("dt_delivered", UTCDateTime),
        **OPTIONS,
    )
    op.create_index(None, "dialog", ["counsel_id"])
    op.create_index(None, "dialog", ["dt_delivered"])
    op.create_index(None, "dialog", ["user_id", "dt_dialog"])
    op.create_table(
        "emotion_log",
        sa.Column("emotion_id", Id, primary_key=True),
        sa.Column("counsel_id", Id, sa.ForeignKey("counsel.counsel_id", ondelete="CASCADE"), nullable=False),
        sa.Column("counsel_emotion", sa.Text, nullable=False),
        sa.Column("dt_emotion_log", UTCDateTime, nullable=False),
        sa.UniqueConstraint("counsel_id"),
        **OPTIONS,
    )
    op.create_table(
        "inbound",
        sa.Column("messenger", Key, primary_key=True),
        sa.Column("address", Address, primary_key=True),
        sa.Column("message_id", Address, primary_key=True),
        sa.Column("dialog_id", Id, sa.ForeignKey("dialog.dialog_id", ondelete="CASCADE"), nullable=False),
        **OPTIONS,
    )
    op.create_index(None, "inbound", ["dialog_id"])
    op.create_table(
        "outbox",
        sa.Column("outbox_id", Id, primary_key=True),
        sa.Column("user_id", Key, nullable=False),
        sa.Column("dialog_id", Id, nullable=False),
        sa.Column("op", Key, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("dt_outbox", UTCDateTime, nullable=False),
        **OPTIONS,
    )
    op.create_index(None, "outbox", ["user_id"])
