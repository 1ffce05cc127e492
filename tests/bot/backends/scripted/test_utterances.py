"""Where one sentence of what people write ends, and the next begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.backends.scripted.utterances import utterances
from inference_server.korean import morphemes


def cut(text: str) -> list[str]:
    return [text[sentence[0].start : sentence[-1].end] for sentence in utterances(text, morphemes(text))]


@pytest.mark.parametrize(
    "text",
    [
        "나 오늘 면접 봤어|근데 망한 듯ㅠㅠ|어떡해",
        "요즘 잠이 안 와|4시쯤 자서 7시에 깨",
        "아까 한 말 취소할게|화나서 막 뱉은 거야",
        "회식 안 갔음|어쩌라고 ㅡㅡ",
        "퇴직이 2년 남았소|그다음엔 뭘 해서 먹고살지 깜깜합니다",
        "고민이 두 가지예요|1. 남편이 말을 안 해요|2. 애는 방문을 잠가요",
        "나아졌어 :)|내일도 올게|잘 자~",
        '팀장이 "이게 최선입니까? 다시 해 오세요." 하고 나갔어요|집에 오는 내내 생각나요',
        "3.5점 받았음 ㅋㅋㅋ|엄마 미안해",
        "보고 싶네요 우리 엄마…",
        "말하면 잘릴까 봐 무서워요",
        "배고파 죽겠어",
        "카톡창 열었다 닫았다 해요",
        "30년을 살았는데.. 이제 와서 허탈해요",
        "말해 봤자 뭐가 달라지냐",
        "요즘 깜빡깜빡 하는게 심해졌읍니다|가스불을 켜놓고 나왔어요",
        "영감이 꽃을 사왔네예|내 생일인 줄 알았답니더",
        "딸애가 전화도 안 받심더|밤새 잠을 못 잤어예",
        "회사 그만둔다 카더라",
        "밤마다 왜 이렇게 조용하지|냉장고 소리만 들려",
        "왜 나는 거절을 못할까|오늘도 남의 일을 받아왔어",
        "말도 못 했어요 무서워서",
        "결혼식에 저는 안 불렀더라고요|4년을 같이 지냈는데요|믿고 싶어요",
        "이제는 독서실이다|오늘도 폰만 봤다",
        "애들 다 나가고 집이 조용해요",
        "지금 밥 먹는 중|살려줘",
    ],
)
def test_people_end_their_sentences_without_full_stops(text: str) -> None:
    assert cut(text.replace("|", " ")) == text.split("|")


def test_a_line_ends_a_sentence() -> None:
    assert cut("오늘\n회사에서") == ["오늘", "회사에서"]


@given(st.text(alphabet='가나다했어요는데 .?!…\n"“”()1ㅠㅋ~😀', max_size=60))
def test_no_word_is_lost_or_said_twice(text: str) -> None:
    found = morphemes(text)

    assert [m for sentence in utterances(text, found) for m in sentence] == list(found)
    assert all(utterances(text, found))
