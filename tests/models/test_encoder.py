import shutil
from pathlib import Path

import numpy as np
import pytest

from inference_server.encoder import Encoder
from inference_server.models import Folder, ModelUnavailable

torch = pytest.importorskip("torch", reason="no torch: these ask the transformer models (pip install 'mentos[models]')")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install 'mentos[models]'")

from tests.models import tiny  # noqa: E402

TEXTS = ["네", "오늘은 날이 맑아서 기분이 좋아요.", "주말에 기차를 타고 바다를 보러 가요. " * 3]


def opened(folder: Path) -> Encoder:
    return Encoder(Folder.at(folder, name="tiny/encoder"), device="cpu", threads=1)


@pytest.fixture(scope="module")
def encoder(encoder_folder: Path) -> Encoder:
    return opened(encoder_folder)


@pytest.fixture
def copy(encoder_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(encoder_folder, tmp_path / "copy"))


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
def test_a_vector_is_the_mean_of_the_tokens_or_the_first_as_the_folder_says(tmp_path: Path, pooling: str) -> None:
    folder = tiny.encoder(tmp_path / "encoder", pooling=pooling)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder)
    for text, vector in zip(TEXTS, opened(folder).embed(TEXTS), strict=True):
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
        expected = states.mean(axis=0) if pooling == "mean_tokens" else states[0]
        assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-4)


def test_vectors_are_float32_of_unit_length_and_bear_the_models_name(encoder: Encoder) -> None:
    vectors = encoder.embed([*TEXTS, "", "\ud83d", "😂"])

    assert vectors.shape == (6, encoder.size)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert encoder.name == "tiny/encoder"


def test_no_texts_have_no_vectors(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, encoder.size)


def test_a_text_has_the_same_vector_alone_and_among_others(encoder: Encoder) -> None:
    together = encoder.embed([*TEXTS, *tiny.SENTENCES[:20]])

    assert together[:3] == pytest.approx(np.concatenate([encoder.embed([text]) for text in TEXTS]), abs=1e-4)


def test_a_megabyte_has_a_vector_of_its_beginning_and_end(encoder: Encoder) -> None:
    first, second, other_start, other_end = encoder.embed(
        [
            f"{start} " * 900 + middle * 250_000 + f" {end}" * 900
            for start, middle, end in (
                ("바다", "가 ", "산"),
                ("바다", "나 ", "산"),
                ("기차", "가 ", "산"),
                ("바다", "가 ", "주말"),
            )
        ]
    )

    assert first == pytest.approx(second, abs=1e-6)
    assert first != pytest.approx(other_start, abs=1e-3)
    assert first != pytest.approx(other_end, abs=1e-3)


def test_no_more_tokens_are_read_than_the_folder_allows(encoder: Encoder, copy: Path) -> None:
    tiny.changed(copy, "sentence_bert_config.json", max_seq_length=16)
    text = "주말에 기차를 타고 바다를 보러 가요. " * 9

    assert opened(copy).embed([text])[0] != pytest.approx(encoder.embed([text])[0], abs=1e-4)
    assert opened(copy).embed(["네"])[0] == pytest.approx(encoder.embed(["네"])[0], abs=1e-5)


def test_a_folder_that_allows_any_number_of_tokens_is_read_as_far_as_its_model_has_positions(copy: Path) -> None:
    (copy / "sentence_bert_config.json").unlink()
    [long, longer] = opened(copy).embed(["주말에 기차를 타고 바다를 보러 가요. " * times for times in (30, 40)])

    assert long == pytest.approx(longer, abs=1e-6)


@pytest.mark.parametrize("most", [7, 1, -5])
def test_a_folder_that_allows_hardly_a_word_is_refused(copy: Path, most: int) -> None:
    tiny.changed(copy, "sentence_bert_config.json", max_seq_length=most)

    with pytest.raises(ModelUnavailable, match=f"reads {most} tokens of a text"):
        opened(copy)


def test_an_encoder_needs_no_pooler(encoder: Encoder, copy: Path) -> None:
    transformers.RobertaModel.from_pretrained(copy, add_pooling_layer=False).save_pretrained(copy)

    assert opened(copy).embed(TEXTS) == pytest.approx(encoder.embed(TEXTS), abs=1e-6)


def test_newer_files_that_name_the_way_in_a_word_are_understood(encoder: Encoder, copy: Path) -> None:
    (copy / "1_Pooling" / "config.json").write_text('{"embedding_dimension": 64, "pooling_mode": "mean"}')

    assert opened(copy).embed(TEXTS) == pytest.approx(encoder.embed(TEXTS), abs=1e-6)


def test_a_way_of_pooling_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"pools by \['max_tokens'\]"):
        opened(tiny.encoder(tmp_path / "encoder", pooling="max_tokens"))


def test_a_module_that_is_not_ours_is_refused(copy: Path) -> None:
    modules = (copy / "modules.json").read_text()
    dense = '{"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}'
    (copy / "modules.json").write_text(f"{modules[:-1]}, {dense}]")

    with pytest.raises(ModelUnavailable, match="Dense"):
        opened(copy)


def test_a_folder_that_does_not_say_how_to_pool_is_refused(copy: Path) -> None:
    (copy / "modules.json").unlink()

    with pytest.raises(ModelUnavailable, match=r"modules\.json cannot be read"):
        opened(copy)


def test_weights_that_are_no_numbers_are_refused_when_they_are_loaded(copy: Path) -> None:
    model = transformers.AutoModel.from_pretrained(copy)
    with torch.no_grad():
        model.embeddings.LayerNorm.weight[:] = torch.nan
    model.save_pretrained(copy)

    with pytest.raises(ModelUnavailable, match="no finite numbers"):
        opened(copy)
