import shutil
from pathlib import Path

import numpy as np
import pytest

from inference_server.batching import Batcher
from inference_server.electra import ElectraEmotion
from inference_server.emotion import LABELS, Ranking
from inference_server.models import Folder, ModelUnavailable, NotFinite

torch = pytest.importorskip("torch", reason="no torch: these ask the transformer models (pip install 'mentos[models]')")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install 'mentos[models]'")

from safetensors.torch import load_file, save_file  # noqa: E402

from tests.models import tiny  # noqa: E402


def opened(folder: Path) -> ElectraEmotion:
    return ElectraEmotion(Folder.at(folder), device="cpu", threads=1)


@pytest.fixture(scope="module")
def emotion(electra_folder: Path) -> ElectraEmotion:
    return opened(electra_folder)


@pytest.fixture
def copy(electra_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(electra_folder, tmp_path / "copy"))


def top(ranking: Ranking) -> str:
    return ranking.scores[0][0]


def test_what_the_model_was_taught_is_what_is_read(emotion: ElectraEmotion) -> None:
    rankings = emotion.read(tiny.SENTENCES)
    right = [top(ranking) == tiny.label_of(text) for ranking, text in zip(rankings, tiny.SENTENCES, strict=True)]

    assert np.mean(right) > 0.9
    assert np.mean([ranking.is_confident for ranking in rankings]) > 0.9


def test_the_scores_are_those_that_transformers_itself_gives(emotion: ElectraEmotion, electra_folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(electra_folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(electra_folder)
    for text, ranking in zip(tiny.SENTENCES[:24], emotion.read(tiny.SENTENCES[:24]), strict=True):
        with torch.inference_mode():
            chances = model(**tokenizer(text, return_tensors="pt")).logits[0].softmax(-1)
        expected = {model.config.id2label[index]: float(chance) for index, chance in enumerate(chances)}
        assert dict(ranking.scores) == pytest.approx(expected, abs=1e-4)


def test_every_label_is_ranked_likeliest_first_and_the_chances_sum_to_one(emotion: ElectraEmotion) -> None:
    [ranking] = emotion.read(["오늘 면접 떨어졌어요"])
    chances = [chance for _, chance in ranking.scores]

    assert {label for label, _ in ranking.scores} == set(LABELS)
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1.0, abs=1e-5)


def test_a_text_is_read_alike_alone_and_among_longer_and_shorter_ones(emotion: ElectraEmotion) -> None:
    texts = ["네", *tiny.SENTENCES[:30], "", "오늘은 " * 90, "고마워요"]
    for text, together in zip(texts, emotion.read(texts), strict=True):
        [alone] = emotion.read([text])
        assert dict(alone.scores) == pytest.approx(dict(together.scores), abs=1e-4)


def test_no_texts_have_no_readings(emotion: ElectraEmotion) -> None:
    assert emotion.read([]) == []


def test_of_a_megabyte_the_beginning_and_the_end_are_read(emotion: ElectraEmotion) -> None:
    first, last, filler = "하늘이 맑아서 기분이 좋아요. " * 40, " 배가 살살 아파요." * 40, "그리고 " * 260_000
    long, other_middle, other_end = emotion.read(
        [first + filler + last, first + "그래서 " * 260_000 + last, first + filler + " 편하게 쉬세요." * 40]
    )

    assert long == other_middle
    assert dict(long.scores) != pytest.approx(dict(other_end.scores), abs=1e-6)


@pytest.mark.parametrize(
    "text", ["", "  \n", "ㅠㅠㅠㅠ", "😂😂😂", "I am sad", "12345", "\ud83d", "\x00\x01", "[SEP][PAD]"]
)
def test_what_holds_no_korean_words_is_never_read_with_confidence(emotion: ElectraEmotion, text: str) -> None:
    [ranking] = emotion.read([text])

    assert len(ranking.scores) == len(LABELS)
    assert not ranking.is_confident


def test_a_guess_below_a_half_is_not_confident(tmp_path: Path) -> None:
    [ranking] = opened(tiny.electra(tmp_path / "untaught", steps=0)).read(["오늘은 날이 좋네요"])

    assert ranking.scores[0][1] < 0.5
    assert not ranking.is_confident


def test_other_labels_are_refused_by_what_differs(copy: Path) -> None:
    tiny.changed(copy, "config.json", id2label={str(i): label for i, label in enumerate([*LABELS[:-1], "분노"])})

    with pytest.raises(ModelUnavailable, match=r"lacks \['걱정스러운\(불안한\)'\] and adds \['분노'\]"):
        opened(copy)


def test_labels_in_another_order_are_read_by_their_names(copy: Path, emotion: ElectraEmotion) -> None:
    tiny.changed(copy, "config.json", id2label={str(i): label for i, label in enumerate(reversed(LABELS))})

    moved = opened(copy).read(tiny.SENTENCES[:8])
    for before, after in zip(emotion.read(tiny.SENTENCES[:8]), moved, strict=True):
        assert LABELS.index(top(after)) == len(LABELS) - 1 - LABELS.index(top(before))


async def test_a_text_without_numbers_fails_alone(copy: Path) -> None:
    tiny.unreadable(copy, "냄비")
    emotion = opened(copy)
    with pytest.raises(NotFinite):
        emotion.read(["오늘은 날이 좋네요", "냄비", "고마워요"])

    batcher = Batcher(emotion.read, name="electra-in-a-test")
    fine, broken, fine_too = [batcher(text) for text in ("오늘은 날이 좋네요", "냄비", "고마워요")]
    assert (await fine).scores
    with pytest.raises(NotFinite):
        await broken
    assert (await fine_too).scores
    await batcher.close()


def test_weights_that_are_no_numbers_are_refused_when_they_are_loaded(copy: Path) -> None:
    tiny.unreadable(copy)

    with pytest.raises(ModelUnavailable, match="no finite numbers"):
        opened(copy)


def test_an_encoder_without_a_classifier_is_refused_instead_of_classifying_by_chance(copy: Path) -> None:
    transformers.ElectraModel.from_pretrained(copy).save_pretrained(copy)
    tiny.changed(copy, "config.json", id2label={str(i): label for i, label in enumerate(LABELS)})

    with pytest.raises(ModelUnavailable, match=r"lacks the weights classifier\."):
        opened(copy)


def test_a_classifier_without_the_pooler_that_it_reads_is_refused_too(copy: Path) -> None:
    tiny.changed(copy, "config.json", model_type="bert", architectures=["BertForSequenceClassification"])
    transformers.BertForSequenceClassification(transformers.BertConfig.from_pretrained(copy)).save_pretrained(copy)
    opened(copy)
    weights = load_file(copy / "model.safetensors")
    save_file({name: weights[name] for name in weights if "pooler" not in name}, copy / "model.safetensors")

    with pytest.raises(ModelUnavailable, match=r"lacks the weights bert\.pooler\."):
        opened(copy)


def test_a_folder_that_has_a_vocabulary_but_no_tokenizer_json_is_read_like_one_that_has(
    copy: Path, emotion: ElectraEmotion
) -> None:
    pieces = transformers.AutoTokenizer.from_pretrained(copy).get_vocab()
    (copy / "vocab.txt").write_text("\n".join(sorted(pieces, key=lambda piece: pieces[piece])), encoding="utf-8")
    (copy / "tokenizer.json").unlink()
    tiny.changed(copy, "tokenizer_config.json", tokenizer_class="ElectraTokenizer", do_lower_case=False)

    assert [top(ranking) for ranking in opened(copy).read(tiny.SENTENCES)] == [
        top(ranking) for ranking in emotion.read(tiny.SENTENCES)
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said_to_be_missing(electra_folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="MENTOS_MODELS__DEVICE=cpu"):
        ElectraEmotion(Folder.at(electra_folder), device="cuda")


def test_a_pickle_is_never_read_though_there_are_other_safetensors(copy: Path) -> None:
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").rename(copy / "another.safetensors")

    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        opened(copy)


def test_code_in_a_folder_is_not_run_even_when_nobody_has_looked_at_it(copy: Path, tmp_path: Path) -> None:
    (copy / "mine.py").write_text(f"from pathlib import Path; Path({str(tmp_path / 'run')!r}).mkdir()")
    folder = Folder.at(copy)
    tiny.changed(copy, "config.json", auto_map={"AutoConfig": "mine.Mine", "AutoModel": "mine.Mine"}, model_type="mine")

    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        ElectraEmotion(folder, device="cpu", threads=1)
    assert not (tmp_path / "run").exists()
