import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest

from inference_server.emotion import BUCKETS, LABELS, SHIPPED, EmbeddedEmotion, Weights, features
from inference_server.korean import morphemes


@pytest.fixture(scope="module")
def emotion() -> EmbeddedEmotion:
    return EmbeddedEmotion()


def top(emotion: EmbeddedEmotion, text: str) -> str:
    return emotion.read([text])[0].scores[0][0]


def test_every_label_is_ranked_likeliest_first_and_the_chances_sum_to_one(emotion: EmbeddedEmotion) -> None:
    [ranking] = emotion.read(["오늘 면접 떨어졌어요"])
    chances = [chance for _, chance in ranking.scores]

    assert {label for label, _ in ranking.scores} == set(LABELS)
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("시험에 붙어서 너무 행복하고 기뻐요", "기쁨(행복한)"),
        ("도와주셔서 정말 감사합니다", "고마운"),
        ("내일 첫 데이트라 두근두근 설레요", "설레는(기대하는)"),
        ("우리 아이 너무 사랑스럽고 사랑해요", "사랑하는"),
        ("놀이공원에서 신나게 놀았어 ㅋㅋㅋ 진짜 재밌었다", "즐거운(신나는)"),
        ("점심에 국수 먹었어", "일상적인"),
        ("이직을 할지 말지 고민이 많아요", "생각이 많은"),
        ("너무 슬프고 우울해서 눈물이 나요", "슬픔(우울한)"),
        ("야근이 계속돼서 너무 힘들고 지쳤어", "힘듦(지침)"),
        ("동생 때문에 진짜 짜증나고 화나", "짜증남"),
        ("내일 수술이라 불안하고 걱정돼요", "걱정스러운(불안한)"),
    ],
)
def test_plain_words_are_read_as_what_they_say(emotion: EmbeddedEmotion, text: str, label: str) -> None:
    assert top(emotion, text) == label


def test_plain_good_news_and_plain_bad_news_are_named_with_confidence(emotion: EmbeddedEmotion) -> None:
    good, bad = emotion.read(["도와주셔서 정말 감사합니다", "너무 슬프고 우울해서 눈물이 나요"])

    assert good.is_confident
    assert bad.is_confident


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n\t",
        "\u200b",
        "?!...",
        "😂😂😂",
        "ㅠㅠㅠㅠ",
        "12345",
        "\ud83d",
        "\ud800\udc00 \udfff",
        "\x00\x01",
        "I am sad",
    ],
)
def test_what_holds_no_korean_words_is_never_read_with_confidence(emotion: EmbeddedEmotion, text: str) -> None:
    [ranking] = emotion.read([text])

    assert len(ranking.scores) == len(LABELS)
    assert not ranking.is_confident


def test_a_lone_surrogate_among_words_does_not_keep_them_from_being_read(emotion: EmbeddedEmotion) -> None:
    assert top(emotion, "도와주셔서 정말 감사합니다 \ud83d") == "고마운"


def test_a_text_is_read_alike_alone_in_a_batch_and_again(emotion: EmbeddedEmotion) -> None:
    texts = ["고마워", "", "오늘 너무 지쳤어 ㅠㅠ", "뭐 해?"]
    together = emotion.read(texts)

    assert together == [emotion.read([text])[0] for text in texts]
    assert together == EmbeddedEmotion().read(texts)
    assert emotion.read([]) == []


def test_decomposed_hangul_is_read_like_composed(emotion: EmbeddedEmotion) -> None:
    text = "내일 발표라서 불안해요"

    assert emotion.read([unicodedata.normalize("NFD", text)]) == emotion.read([text])


def test_laughter_and_tears_are_kept_but_not_counted_by_their_length() -> None:
    assert features("그래 ㅠㅠ")[0].tolist() != features("그래")[0].tolist()
    assert features("그래 ㅠㅠㅠㅠㅠㅠㅠㅠ")[0].tolist() == features("그래 ㅠㅠ")[0].tolist()


def test_a_very_long_text_costs_no_more_than_a_page(emotion: EmbeddedEmotion, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(text: str) -> object:
        read.append(len(text))
        return morphemes(text)

    monkeypatch.setattr("inference_server.emotion.morphemes", counted)
    emotion.read(["가나다라 마바사 아자차 " * 8_000])

    assert len(read) == 1
    assert read[0] <= 1_000


def test_of_a_long_text_the_beginning_and_the_end_are_read() -> None:
    middle = "그리고 그다음에 이어서 " * 500

    assert features("처음 " + middle + "끝")[0].tolist() != features("다른 " + middle + "끝")[0].tolist()
    assert features("처음 " + middle + "끝")[0].tolist() != features("처음 " + middle + "말")[0].tolist()


def test_features_are_the_same_in_every_process() -> None:
    buckets, amounts = features("힘들어")

    assert buckets.tolist() == sorted(set(buckets.tolist()))
    assert buckets.max() < BUCKETS
    assert bucket_of("c힘") in buckets
    assert np.square(amounts).sum() == pytest.approx(2.0, rel=0.1)


def bucket_of(gram: str) -> int:
    return zlib.crc32(gram.encode()) % BUCKETS


def test_weights_for_other_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, labels=np.array(["좋음", "나쁨"]))

    with pytest.raises(ValueError, match="rebuild it"):
        Weights.load(path)


def test_the_shipped_weights_are_small() -> None:
    assert SHIPPED.stat().st_size < 8_000_000


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("오늘 회사에서 팀장님한테 엄청 깨졌어요", "low"),
        ("오늘 상사한테 혼났어요", "low"),
        ("친구한테 손절당했어요", "low"),
        ("엄마가 편찮으세요", "low"),
        ("시험 떨어졌어요", "low"),
        ("시험 붙었어요!", "good"),
    ],
)
def test_what_happened_tells_good_from_bad_and_not_how_the_sentence_ends(
    emotion: EmbeddedEmotion, text: str, side: str
) -> None:
    assert polarity(top(emotion, text)) == side


def test_messages_that_nobody_trained_on_are_read_as_well_as_the_model_card_says(emotion: EmbeddedEmotion) -> None:
    unseen = lines("emotion_unseen.tsv")
    rankings = emotion.read([text for _, text in unseen])
    right = [ranking.scores[0][0] == label for (label, _), ranking in zip(unseen, rankings, strict=True)]
    named = [hit for hit, ranking in zip(right, rankings, strict=True) if ranking.is_confident]

    assert sum(right) >= 0.73 * len(right)
    assert sum(named) >= 0.92 * len(named)
    assert len(named) >= 0.3 * len(right)


def test_short_events_that_nobody_trained_on_are_seldom_read_as_their_opposite(emotion: EmbeddedEmotion) -> None:
    events = lines("emotion_events_unseen.tsv")
    rankings = emotion.read([text for _, text in events])
    read = [(polarity(label), polarity(r.scores[0][0])) for (label, _), r in zip(events, rankings, strict=True)]
    named = [sides for sides, ranking in zip(read, rankings, strict=True) if ranking.is_confident]

    assert sum(truth == guess for truth, guess in read) >= 0.87 * len(read)
    assert sum(set(sides) == {"good", "low"} for sides in named) <= 0.02 * len(read)
    assert len(named) >= 0.4 * len(read)


def lines(name: str) -> list[tuple[str, str]]:
    rows = Path(__file__).with_name(name).read_text("utf-8").splitlines()
    return [(label, text) for label, _, text in (row.partition("\t") for row in rows)]


def polarity(label: str) -> str:
    if label == "일상적인":
        return "everyday"
    return "good" if label in LABELS[:5] else "low"
