"""What is happening, and where, if it changes what is said first: a wound, smoke, an edge, an attacker, barracks."""

import re
from enum import StrEnum

from bot.safety.assess import Level, Risk, Route
from bot.safety.normalise import readings
from bot.safety.signs import PERSON


class Scene(StrEnum):
    """Each has its first words in `crisis.toml`."""

    BLEEDING = "bleeding"
    SMOKE = "smoke"
    EDGE = "edge"
    ATTACKER = "attacker"
    UNCONSCIOUS = "unconscious"
    OUT_OF_REACH = "out_of_reach"
    BARRACKS = "barracks"
    SCHOOL = "school"
    BEREAVED = "bereaved"


def _any(*sources: str) -> re.Pattern[str]:
    return re.compile("|".join(sources).replace(" ", "[ |0-9]?").replace("~", "[^|?]"))


_OWN = (
    (
        Scene.BLEEDING,
        _any(
            "(?<![가-힣])피(?:[가도는]|(?![가-힣]))~{0,8}(?:안 [멈멎]|(?:멈추|멎)[지질]|계속 [나흘]|철철|많이 [나흘])",
            "너무 깊(?:게|이) (?:그[었은]|베|벴)",
        ),
    ),
    (
        Scene.SMOKE,
        _any(
            "(?<!담배)(?<!담배.)(?<![가-힣])(?:연기|가스)(?:가|를|는|도)? ~{0,6}(?:가득|차오|찼|맡|[틀열])",
            "탄[을이]? ~{0,4}(?:피[웠우]|켰|타고)",
        ),
    ),
    (
        Scene.EDGE,
        _any(
            "(?:옥상|난간|다리 (?:위|난간)|대교|절벽|벼랑|창틀|선로|철로)(?!~{0,12}(?:내려|안 갈|안 가))"
            "[가-힣]{0,3} ~{0,6}(?:있|서서|앉|왔|올라|이[에야]|예요|[위끝]|임)"
        ),
    ),
)
_UNCONSCIOUS = _any(
    "깨워도",
    "(?:안|못) 깨[어고요]",
    "의식이? (?:없|흐|잃|안)",
    "숨(?:소리|을)",
    "약을? ~{0,8}먹은 (?:것|거|듯)",
    "쓰러[졌져]",
    "삼[켰킨]|(?:농약|세제|락스)[을를]? ~{0,4}(?:마[셨신]|먹)",
    "(?<![가-힣])피(?:[가도]|(?![가-힣]))~{0,8}(?:안 멈|많이|계속)",
)
_BY_LEVEL = {
    Level.SELF_HARM: (
        (Scene.BLEEDING, _any("(?:계속|자꾸) (?:나와|나요|흘러|배어)", "어지러|식은땀|앞이 (?:캄캄|하얘|흐)")),
        *_OWN,
    ),
    Level.ABUSE: (
        (
            Scene.ATTACKER,
            _any(
                "(?:문|현관)[가-힣]{0,2} ~{0,6}(?:두드|두들|부[수숴쉈술]|차고|따[려고])",
                "(?:문|집|회사|학교|현관) (?:앞|밖)[가-힣]{0,2} ~{0,8}(?:있|기다|서성|안 가|왔|지키)",
                "(?:쫓아|따라) (?:오|와|왔)",
                "(?:칼|흉기|망치|방망이)[가-힣]? ~{0,3}(?:들고|휘두|들었|꺼)",
                "지금 (?!안 )~{0,8}(?<!안)(?<!안.)(?:때[리려]|맞고|패고|부[수숴]|던[지져]|난동|소리 [지질])",
                "(?:방|화장실|욕실|옷장|차)에 ~{0,4}(?:숨어|잠그고|갇)",
                "곧 (?:와요|들어와|올 거|온대)",
            ),
        ),
        (
            Scene.BARRACKS,
            _any(
                "선임|후임|생활관|훈련소|행보관|중대장|소대장|분대장|(?<!전)(?<!전.)부대(?![찌끼])|이등병|일병|상병|병장",
                "군(?:대|인|복무)(?!~{0,12}(?:전역|제대|다녀|갔다 온|나온|시절|때))",
            ),
        ),
        (
            Scene.SCHOOL,
            _any(
                "(?:학교|교실|급식실?|우리 반|같은 반|옆 반|반) ~{0,3}"
                "(?:애|친구|선배|형|오빠|언니|누나|일진|남자애|여자애)",
                "일진|전교|학폭|학년 (?:선배|형|언니|오빠|누나|애)|(?:쉬는|점심) 시간|체육관|하굣길|등굣길",
                "담임|(?:학교|교실|수업)[가-힣]{0,3} ~{0,10}(?:때[리려]|맞|괴롭|따돌|왕따|놀[리려]|돈|찍)",
            ),
        ),
    ),
    Level.THIRD_PARTY: (
        (
            Scene.UNCONSCIOUS,
            _UNCONSCIOUS,
        ),
        (
            Scene.OUT_OF_REACH,
            _any(
                "옥상|난간|다리 위|대교|절벽",
                "(?:연락|전화|카톡|폰)[가-힣]{0,2} ~{0,5}(?:안 [돼되됨받봐보읽]|꺼[져졌]|두절|끊[겼어김])",
                "유서[가-힣]? ~{0,8}(?:쓰고|써|두고|남기|남겼|놓고|발견|있)",
                "(?:집을|말없이|어디론가) ~{0,4}(?:나갔|나가 버|사라)",
                "마지막 (?:인사|문자|카톡|톡|메시지)|작별|잘 있으?라",
                "지금 (?:죽|뛰|가겠|갈 거|하려|하겠)|죽으러|뛰어내린",
            ),
        ),
    ),
}


_BY_ANOTHER = re.compile(f"{PERSON}(?:이|가|은|는|께서|도)[^?]{{0,24}}(?:먹|마셨|마신|삼켰|삼킨)".replace(" ", "[ |]?"))


def scene(text: str, risk: Risk) -> Scene | None:
    """Return what is happening now to somebody who is at that risk, None where the words for the risk do."""
    seen = list(readings(text))
    if risk.tier >= 2 and any(_BY_ANOTHER.search(reading) and _UNCONSCIOUS.search(reading) for reading in seen):
        return Scene.UNCONSCIOUS
    if risk.tier >= 2:
        for name, pattern in _BY_LEVEL.get(risk.level, _OWN):
            if any(pattern.search(reading) for reading in seen):
                return name
    return Scene.BEREAVED if risk.route is Route.BEREAVEMENT else None
