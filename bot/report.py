"""What is on, what stands in for what is not, and what switches it on: one line a part."""

from collections.abc import Iterator

from bot.app import Mentos


def report(mentos: Mentos) -> Iterator[str]:
    words, settings, storage = mentos.words["parts"], mentos.settings, mentos.storage
    yield words["llm_on"].format(url=settings.llm.url) if settings.llm.url else words["llm_off"]
    yield words["emotion"]
    yield words["tone"].format(names=", ".join(character.name for character in mentos.characters.values()))
    if storage is None:
        yield words["off_record"]
        return
    is_mysql = (settings.database.url or "").startswith("mysql")
    yield words["rows_mysql" if is_mysql else "rows_sqlite"].format(where=storage.rows.where)
    yield words["keys"].format(where=storage.keys_at.where, master=storage.master_key)
    if settings.consent.assume:
        yield words["consent_assumed"].format(scopes=", ".join(sorted(settings.consent.assume)))
    yield words["memory_server" if settings.qdrant.url else "memory_edge"].format(where=storage.vectors.where)
    if storage.is_relearning:
        yield words["memory_relearning"]
    if settings.inference.url:
        yield words["inference_unused"]
