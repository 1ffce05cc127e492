"""What is happening this very minute, where it changes what is said first: a wound, smoke, an edge, an attacker."""

import re
from enum import StrEnum

from bot.safety.assess import Level, Risk, Route
from bot.safety.normalise import readings


class Scene(StrEnum):
    """Each has its first words in `crisis.toml`."""

    BLEEDING = "bleeding"
    SMOKE = "smoke"
    EDGE = "edge"
    ATTACKER = "attacker"
    UNCONSCIOUS = "unconscious"
    OUT_OF_REACH = "out_of_reach"
    BEREAVED = "bereaved"


def _any(*sources: str) -> re.Pattern[str]:
    return re.compile("|".join(sources).replace(" ", "[ |0-9]?").replace("~", "[^?]"))


_OWN = (
    (
        Scene.BLEEDING,
        _any(
            "피가? ~{0,8}(?:안 [멈멎]|(?:멈추|멎)[지질]|계속 [나흘]|철철|많이 [나흘])",
            "너무 깊(?:게|이) (?:그[었은]|베|벴)",
        ),
    ),
    (
        Scene.SMOKE,
        _any(
            "(?:연기|가스)[가-힣]? ~{0,6}(?:가득|차오|찼|맡|마[시셔]|나[와오]|[틀켜열])",
            "탄[을이]? ~{0,4}(?:피[웠우]|켰|타고)",
        ),
    ),
    (
        Scene.EDGE,
        _any(
            "(?:옥상|난간|다리|대교|절벽|벼랑|창틀|선로|철로)(?!~{0,12}(?:내려|안 갈|안 가))"
            "[가-힣]{0,3} ~{0,6}(?:있|서서|앉|왔|올라|이[에야]|예요|[위끝]|임)"
        ),
    ),
)
_BY_LEVEL = {
    Level.ABUSE: (
        (
            Scene.ATTACKER,
            _any(
                "(?:문|현관)[가-힣]{0,2} ~{0,6}(?:두드|두들|부[수숴쉈술]|차고|따[려고])",
                "(?:문|집|회사|학교|현관) (?:앞|밖)[가-힣]{0,2} ~{0,8}(?:있|기다|서성|안 가|왔|지키)",
                "(?:쫓아|따라) (?:오|와|왔)",
                "(?:칼|흉기|망치|방망이)[가-힣]? ~{0,3}(?:들고|휘두|들었|꺼)",
                "지금 ~{0,8}(?:때[리려]|맞고|패고|부[수숴]|던[지져]|난동|소리 [지질])",
                "(?:방|화장실|욕실|옷장|차)에 ~{0,4}(?:숨어|잠그고|갇)",
                "곧 (?:와요|들어와|올 거|온대)",
            ),
        ),
    ),
    Level.THIRD_PARTY: (
        (
            Scene.UNCONSCIOUS,
            _any("(?:안|못) (?:깨|일어나)", "의식", "약[을를]? ~{0,8}먹(?:었|은)", "피가? ~{0,8}(?:안 멈|많이|계속)"),
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


def scene(text: str, risk: Risk) -> Scene | None:
    """Return what is happening now to somebody who is at that risk, None where the words for the risk do."""
    if risk.tier >= 2:
        seen = list(readings(text))
        for name, pattern in _BY_LEVEL.get(risk.level, _OWN):
            if any(pattern.search(reading) for reading in seen):
                return name
    return Scene.BEREAVED if risk.route is Route.BEREAVEMENT else None
