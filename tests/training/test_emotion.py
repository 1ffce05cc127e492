from collections import Counter
from pathlib import Path

import pytest

from inference_server.emotion import LABELS, EmbeddedEmotion
from tests.training.likeness import alike
from training.emotion import KOTE_LABELS, OWN, read_kote, read_own, train

UNSEEN = sorted((Path(__file__).parents[1] / "inference_server").glob("emotion*_unseen.tsv"))


def lines(path: Path) -> list[tuple[str, str]]:
    return [(label, text) for label, _, text in (line.partition("\t") for line in path.read_text("utf-8").splitlines())]


@pytest.fixture(scope="module")
def own() -> list[tuple[str, str]]:
    return [row for path in OWN for row in lines(path)]


def test_every_label_has_at_least_33_messages_of_our_own(own: list[tuple[str, str]]) -> None:
    counts = Counter(label for label, _ in own)

    assert set(counts) == set(LABELS)
    assert min(counts.values()) >= 33


def test_no_two_messages_are_alike_and_none_is_kept_for_measuring_too(own: list[tuple[str, str]]) -> None:
    kept_apart = [row for path in UNSEEN for row in lines(path)]
    assert kept_apart
    assert alike([text for _, text in own + kept_apart]) == []


def test_a_line_with_another_label_is_refused_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "messages.tsv"
    path.write_text("고마운\t고마워\n행복\t좋다\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"messages\.tsv:2"):
        read_own([path])


def test_another_kote_file_or_none_is_refused_and_the_right_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kote_val.tsv"
    with pytest.raises(SystemExit, match=r"github\.com/searle-j/KOTE"):
        read_kote(path)

    path.write_text("1\t댓글\t0\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="SHA-256"):
        read_kote(path)


def test_kotes_labels_share_themselves_among_ours_only() -> None:
    assert len(KOTE_LABELS) == 44
    assert {label for _, ours in KOTE_LABELS for label in ours} == set(LABELS)


def test_messages_of_our_own_alone_give_weights_that_read_twice_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / "once.npz", tmp_path / "twice.npz"]
    for path in paths:
        train(None, [OWN[0]]).save(path)

    assert paths[0].read_bytes() == paths[1].read_bytes()

    emotion = EmbeddedEmotion(path=paths[0])
    texts = ["도와주셔서 정말 감사합니다", "너무 슬프고 우울해서 눈물이 나요", "진짜 짜증나고 화나"]
    assert [ranking.scores[0][0] for ranking in emotion.read(texts)] == ["고마운", "슬픔(우울한)", "짜증남"]
