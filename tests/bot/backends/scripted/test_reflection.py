"""What is given back of a person's own words, and what never is."""

import pytest

from bot import resources
from bot.backends.scripted.reflection import Reflector
from inference_server.korean import kiwi, morphemes

FRAMES = ["{told}는 말씀이시군요."]


@pytest.fixture(scope="module")
def reflector() -> Reflector:
    """What is safe to say, whether or not it is worth saying."""
    return Reflector(lexicon={**resources.toml("scripted/reflection.toml"), "worth": {"all": 1.0}}, join=kiwi().join)


def reflected(reflector: Reflector, text: str) -> str | None:
    reflections = reflector.reflect(text, morphemes(text), frames=lambda _: FRAMES)
    return reflections[0].says[0] if reflections else None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("내일 발표가 있는데 너무 떨려", "내일 발표가 있는데 너무 떨리시는군요."),
        ("요즘 너무 힘들어ㅠㅠ", "요즘 너무 힘드시군요."),
        ("나 진짜 지쳤어", "정말 지치셨군요."),
        ("회사 그만두고 싶어요", "회사 그만두고 싶으시군요."),
        ("아침에 일어나는 게 너무 힘들어", "아침에 일어나는 게 너무 힘드시군요."),
        ("제 마음이 너무 힘들어요", "마음이 너무 힘드시군요."),
        ("밤에 잠을 못 잤어", "밤에 잠을 못 주무셨군요."),
        ("밤만 되면 잠이 안 와요 ㅠㅠ", "밤만 되면 잠이 안 오시는군요."),
        ("혼자 울고 있어", "혼자 울고 계시는군요."),
        ("강아지가 보고 싶어", "강아지가 보고 싶으시군요."),
        ("잘 모르겠어. 그냥 외로워", "외로우시군요."),
    ],
)
def test_how_the_speaker_feels_is_said_back_with_respect_and_without_the_speaker(
    reflector: Reflector, text: str, sentence: str
) -> None:
    assert reflected(reflector, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("친구가 약속을 또 어겼어", "친구가 약속을 또 어겼다는 말씀이시군요."),
        ("남편이 말을 안 들어요", "남편이 말을 안 듣는다는 말씀이시군요."),
        ("우리 엄마가 자꾸 화를 내", "어머니가 자꾸 화를 낸다는 말씀이시군요."),
        ("부장님이 계속 야근을 시켜요", "부장님이 계속 야근을 시킨다는 말씀이시군요."),
        ("시어머니가 연락도 없이 집에 오셨더라고요", "시어머니가 연락도 없이 집에 오셨다는 말씀이시군요."),
        ("회사가 너무 힘들어", "회사가 너무 힘들다는 말씀이시군요."),
        ("힘들지 않아", "힘들지 않다는 말씀이시군요."),
        ("발소리가 들리는 것 같아요", "발소리가 들리는 것 같다는 말씀이시군요."),
        ("룸메가 설거지를 일주일째 안 해요", "룸메가 설거지를 일주일째 안 한다는 말씀이시군요."),
        ("배신당한 기분이에요", "배신당한 기분이라는 말씀이시군요."),
        ("면접관이 이력서를 보고 피식 웃더라고요", "면접관이 이력서를 보고 피식 웃었다는 말씀이시군요."),
        ("사람들이 뭘 그러냐고 하더라고요", "사람들이 뭘 그러냐고 했다는 말씀이시군요."),
        ("남친이 요즘 바쁘대요", "남자친구가 요즘 바쁘다는 이야기를 들으셨군요."),
        ("기다려줬는데 두 달 만에 마음이 다 식어 버렸대요", "두 달 만에 마음이 다 식어 버렸다는 이야기를 들으셨군요."),
        ("그러고 보니 점심도 걸렀네요", "점심도 걸렀다는 말씀이시군요."),
        ("말하다 보니까 제안서가 그렇게 나쁘진 않았어요", "제안서가 그렇게 나쁘진 않았다는 말씀이시군요."),
        ("요즘 너무 부담스러워요", "요즘 너무 부담스러우시군요."),
        ("엄마아빠는 무조건 의대 가래ㅠ", "부모님은 무조건 의대 가라는 말을 들으셨군요."),
        ("몸살이 왔나 봐요", "몸살이 왔나 싶으시군요."),
        ("우리딸이 이번에 임용 붙었어요", "딸이 이번에 임용 붙었다는 말씀이시군요."),
        ("남편이 저 몰래 코인에 800만원을 넣었더라고요", "남편이 몰래 코인에 돈을 넣었다는 말씀이시군요."),
    ],
)
def test_what_was_told_is_repeated_in_plain_reported_speech(reflector: Reflector, text: str, sentence: str) -> None:
    assert reflected(reflector, text) == sentence


@pytest.mark.parametrize(
    "text",
    [
        "죽고 싶어",
        "그냥 사라지고 싶다",
        "내가 없어지면 좋겠어",
        "자해하고 싶어요",
        "살기 싫어",
        "이제 그만 쉬고 싶어… 영원히",
        "화나면 아이를 때리게 돼요. 멈추고 싶어요",
        "아이가 세제를 삼켰어요",
        "아빠가 나를 때려",
        "친구가 나를 싫어해",
        "나 때문에 다들 힘들어해",
        "나 빼고 다 행복해",
        "내가 싫어",
        "나만 뒤처져서 불안해",
        "힘들면 어떡하지",
        "너무 힘들어?",
        "김민수 때문에 너무 속상해",
        "상사가 존나 싫어",
        "뭘 잘못했는지 모르겠어",
        "너 때문에 답답해",
        "그 사람이 '너 싫어'라고 했어",
        "",
        "ㅋㅋㅋ",
        "언니가 시집을 갔고 나는 집에 남았어요",
        "나를 싫어하는 사람이 많아요",
        "내가 싫어서 친구가 떠났어요",
        "고 있어요",
        "나랑 얘기 좀 해줘",
        "이거 걱정하다 저거 걱정하다",
        "물도 쓰다",
        "짝꿍이 나한테 냄새난다고 했다",
    ],
)
def test_what_could_hurt_or_distort_is_not_said_back(reflector: Reflector, text: str) -> None:
    assert reflected(reflector, text) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("아빠가 내 일기장을 몰래 읽으셨어요", "아버지가 일기장을 몰래 읽으셨다는 말씀이시군요."),
        ("저는 방에 들어가서 울었어요", "방에 들어가서 우셨군요."),
        ("팀장님이 저한테 일을 던지고 갔어요", "팀장님이 일을 던지고 갔다는 말씀이시군요."),
        ("전부 내 코드였다", None),
        ("다음은 내 차례인가 싶습니다", None),
        ("친구들이 저만 미워해요", None),
        ("오빠가 저 대신 말해 줬어요", None),
    ],
)
def test_the_speaker_is_left_out_where_the_sentence_does_not_hang_on_them(
    reflector: Reflector, text: str, sentence: str | None
) -> None:
    assert reflected(reflector, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("밥 먹을 때요", "밥 먹을 때군요."),
        ("그냥 뒤도 안 돌아보고 간 거요", "뒤도 안 돌아보고 간 거군요."),
        ("팀장님이요", "팀장님이군요."),
    ],
)
def test_a_noun_is_given_back_only_where_it_answers_a_question(reflector: Reflector, text: str, sentence: str) -> None:
    answer = reflector.reflect(text, morphemes(text), frames=lambda _: FRAMES, was_asked=True)

    assert answer[0].says[0] == sentence
    assert reflected(reflector, text) is None


def test_a_mother_is_spoken_of_as_one_speaks_of_another_person_s_mother(reflector: Reflector) -> None:
    assert reflector.nouns(morphemes("엄마랑 또 싸웠어")) == {"엄마": "어머니"}


def test_a_name_is_never_taken_up_as_a_subject(reflector: Reflector) -> None:
    assert reflector.nouns(morphemes("민수가 서울에 갔어")) == {}


def test_a_reflection_knows_which_lines_would_say_the_same_again(reflector: Reflector) -> None:
    text = "나 진짜 지쳤어"
    [reflection] = reflector.reflect(text, morphemes(text), frames=lambda _: FRAMES)

    assert reflection.is_said_by("정말 많이 지치셨겠어요.")
    assert reflection.is_said_by("지쳤다고 말하는 건 약해서가 아니에요.")
    assert not reflection.is_said_by("버티는 것만으로도 벅찬 날이 있죠.")


def test_a_frame_is_found_even_where_all_that_are_offered_would_say_something_twice(reflector: Reflector) -> None:
    text = "엄마가 내일 수술하세요"
    (reflection,) = reflector.reflect(text, morphemes(text), frames=lambda _: ["{told}고 하시니 저도 마음이 쓰여요."])

    assert reflection.says == ("어머니가 내일 수술하신다는 말씀이시군요.",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "시험관 세 번째 실패했어요. 남편은 괜찮다는데 그 괜찮다는 말이 더 아파요.",
            "시험관 세 번째 실패했다는 말씀이시군요.",
        ),
        ("어제도 오늘도 왜 이러는지 잘 모르겠어요. 언니는 바쁘대요.", None),
        ("고객센터 상담원이에요. 오늘 욕을 마흔세 번 들었어요. 팀장은 화장실 가는 시간까지 재고요.", None),
    ],
)
def test_of_what_is_safe_to_say_only_what_is_worth_it_is_said(text: str, sentence: str | None) -> None:
    shipped = Reflector(lexicon=resources.toml("scripted/reflection.toml"), join=kiwi().join)

    assert reflected(shipped, text) == sentence
