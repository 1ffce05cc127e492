import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from inference_server.bart import STYLES, BartTone, fault
from inference_server.models import Folder, ModelUnavailable

torch = pytest.importorskip("torch", reason="no torch: these ask the transformer models (pip install 'mentos[models]')")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install 'mentos[models]'")

from tests.models import tiny  # noqa: E402

CHARACTERS = Path(__file__).parents[2] / "bot" / "resources" / "characters"


@pytest.fixture(scope="module")
def tone(bart_folder: Path) -> BartTone:
    return BartTone(Folder.at(bart_folder), device="cpu", threads=1)


def unchanged(why: str) -> float:
    return REGISTRY.get_sample_value("mentos_tone_unchanged_total", {"why": why}) or 0.0


@pytest.fixture
def counted() -> Callable[[str], float]:
    before = {why: unchanged(why) for why in ("unfinished", "empty", "repeats", "digits", "long")}
    return lambda why: unchanged(why) - before[why]


def test_what_the_model_was_taught_is_what_is_said(tone: BartTone) -> None:
    assert tone.restyle(["오늘은 아침부터 하늘이 맑아서 기분이 좋아요.", "오늘 저녁에 시간 괜찮으세요?"], "선비") == [
        *tiny.SAYS["선비"]
    ]


def test_the_model_is_asked_in_the_words_it_was_taught_with(tone: BartTone, bart_folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(bart_folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(bart_folder)
    for style in ("선비", "enfp", "소심한"):
        for text, said in zip(tiny.SENTENCES[:10], tone.write(tiny.SENTENCES[:10], style), strict=True):
            asked = tokenizer(f"{style} 형식으로 변환:{text}", return_tensors="pt")
            ids = model.generate(asked["input_ids"], attention_mask=asked["attention_mask"], max_new_tokens=60)
            assert said == tokenizer.decode(ids[0], skip_special_tokens=True).strip()


def test_each_style_that_a_character_asks_for_is_there() -> None:
    wanted = {
        style
        for file in CHARACTERS.glob("*.toml")
        for style in re.findall(r'"kobart:([^"]+)"', file.read_text("utf-8"))
    }
    smilestyle = {
        *("문어체", "구어체", "안드로이드", "아재", "채팅", "초등학생", "enfp"),
        *("신사", "할아버지", "나루토", "선비", "소심한", "translator"),
    }

    assert wanted
    assert wanted | smilestyle <= BartTone.styles


def test_the_column_and_the_word_for_translated_speech_are_one_style(tone: BartTone) -> None:
    assert tone.write(tiny.SENTENCES[:3], "translator") == tone.write(tiny.SENTENCES[:3], "번역기")


def test_a_style_that_it_lacks_is_named_with_those_it_has(tone: BartTone) -> None:
    with pytest.raises(ValueError, match=r"no style '사투리'; have \["):
        tone.restyle(["오늘은 날이 좋네요."], "사투리")


def test_no_texts_are_no_texts(tone: BartTone) -> None:
    assert tone.restyle([], "선비") == []


def test_a_sentence_is_restyled_alike_alone_and_among_others(tone: BartTone) -> None:
    texts = [*tiny.SENTENCES[:20], "네", "그렇다면 " * 20]

    assert tone.write(texts, "왕") == [tone.write([text], "왕")[0] for text in texts]


@pytest.mark.parametrize(
    ("text", "said", "wrong"),
    [
        ("오늘은 쉬세요.", "오늘은 쉬시오.", None),
        ("오늘은 쉬세요.", None, "unfinished"),
        ("오늘은 쉬세요.", "", "empty"),
        ("약은 2알을 7시에 드세요.", "약은 2알을 7시에 드시오.", None),
        ("약은 2알을 7시에 드세요.", "약은 7시에 드시오.", "digits"),
        ("약은 2알을 7시에 드세요.", "약은 7알을 2시에 드시오.", "digits"),
        ("1577-0199로 전화하세요.", "1577-0198로 전화하시오.", "digits"),
        ("전화해 보세요.", "119에 전화하시오.", "digits"),
        ("그래요.", "그래그래그래그래그래그래그래그래그래그래그래그래", "repeats"),
        ("오늘은 날이 좋네요.", "날이 좋소 참으로. 날이 좋소 참으로. 날이 좋소 참으로. 날이 좋소 참으로.", "repeats"),
        ("네", "네네네", None),
        ("네", "네네네네", "long"),
    ],
)
def test_what_is_wrong_with_a_restyled_sentence_is_named(text: str, said: str | None, wrong: str | None) -> None:
    assert fault(text, said) == wrong


def test_a_sentence_whose_numbers_are_lost_is_given_back_and_counted(
    tone: BartTone, counted: Callable[[str], float]
) -> None:
    assert tone.restyle(["시장에서 딸기 한 상자를 12000원에 샀어요."], "왕") == [
        "시장에서 딸기 한 상자를 12000원에 샀어요."
    ]
    assert counted("digits") == 1


def test_a_word_that_becomes_a_speech_is_given_back_and_counted(
    tone: BartTone, counted: Callable[[str], float]
) -> None:
    assert tone.restyle(["네."], "소심한") == ["네."]
    assert counted("long") == 1


@pytest.mark.parametrize("text", ["", " \n", "그리고 " * 250_000, "\ud83d 그래요", "가" * 601, "각" * 130])
def test_what_cannot_be_said_whole_is_given_back(tone: BartTone, counted: Callable[[str], float], text: str) -> None:
    assert tone.restyle([text, tiny.SENTENCES[0]], "선비") == [text, tiny.SAYS["선비"][0]]
    assert counted("unfinished") == 1


@pytest.mark.parametrize(("spoilt", "why"), [(tiny.endless, "unfinished"), (tiny.silent, "empty")])
def test_a_model_that_comes_to_no_end_or_to_no_word_changes_nothing(
    bart_folder: Path, tmp_path: Path, counted: Callable[[str], float], spoilt: Callable[[Path], None], why: str
) -> None:
    folder = Path(shutil.copytree(bart_folder, tmp_path / "spoilt"))
    spoilt(folder)
    tone = BartTone(Folder.at(folder), device="cpu", threads=1)

    assert tone.restyle(tiny.SENTENCES[:4], "선비") == list(tiny.SENTENCES[:4])
    assert counted(why) == 4


def test_weights_that_are_no_numbers_change_nothing(bart_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bart_folder, tmp_path / "broken"))
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.encoder.layernorm_embedding.weight[:] = torch.nan
    model.save_pretrained(folder)

    tone = BartTone(Folder.at(folder), device="cpu", threads=1)
    assert tone.restyle(tiny.SENTENCES[:4], "선비") == list(tiny.SENTENCES[:4])


def test_a_model_that_does_not_say_where_it_ends_is_refused(bart_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bart_folder, tmp_path / "endless"))
    tiny.changed(folder, "generation_config.json", eos_token_id=[1, 2])

    with pytest.raises(ModelUnavailable, match="it needs one eos_token_id"):
        BartTone(Folder.at(folder), device="cpu", threads=1)


def test_a_model_of_another_kind_is_refused(electra_folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds electra, and the tone model is a BART"):
        BartTone(Folder.at(electra_folder), device="cpu", threads=1)


def test_beams_are_used_where_the_models_own_config_asks_for_them(tmp_path: Path, bart_folder: Path) -> None:
    folder = Path(shutil.copytree(bart_folder, tmp_path / "beams"))
    tiny.changed(folder, "generation_config.json", num_beams=4, no_repeat_ngram_size=3)
    tone = BartTone(Folder.at(folder), device="cpu", threads=1)

    assert tone.search.beams == 4
    assert tone.restyle(tiny.SENTENCES[:1], "선비") == [tiny.SAYS["선비"][0]]


def test_every_style_has_a_word_of_its_own() -> None:
    assert set(STYLES.values()) == set(STYLES) - {"translator"}
