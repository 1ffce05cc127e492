"""What is on, what stands in for what is not, and what switches it on: one line a part."""

from collections.abc import Iterator

from bot.app import Mentos


def report(mentos: Mentos) -> Iterator[str]:
    words, settings, storage = mentos.words["parts"], mentos.settings, mentos.storage
    yield words["llm_on"].format(url=settings.llm.url) if settings.llm.url else words["llm_off"]
    models = mentos.local.models
    yield words["emotion_model"].format(name=models["emotion"].name) if "emotion" in models else words["emotion"]
    names = ", ".join(character.name for character in mentos.characters.values())
    tone = words["tone_model"] if "tone" in models else words["tone"]
    yield tone.format(names=names, name=models["tone"].name if "tone" in models else "")
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
    if mentos.local.encoder:
        yield words["memory_model"].format(name=mentos.local.encoder.name)
    if settings.inference.url:
        yield words["inference_on"].format(where=settings.inference.url)
