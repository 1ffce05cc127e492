"""What is happening, and where, if it changes what is said first: a wound, smoke, an edge, an attacker, barracks."""

import re
from collections.abc import Sequence
from enum import StrEnum

from bot.safety.assess import Level, Risk, Route
from bot.safety.normalise import readings
from bot.safety.routes import BABY
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


PRESSING = frozenset({Scene.BLEEDING, Scene.SMOKE, Scene.EDGE, Scene.ATTACKER, Scene.UNCONSCIOUS, Scene.OUT_OF_REACH})
"""What happens this minute: it goes before whatever else is said."""
LIFELESS = Risk(Level.THIRD_PARTY, 2)
"""What it means that somebody does not breathe or wake."""

_HURTS = (
    "(?:때[려리렸]|맞[고아았]|패[고서]|폭행|괴롭|따돌|왕따|놀[려리림]|뺏|발로|차요|밀[치쳐]|만[져지졌]|추행|협박|욕[을하해]|찍|가혹"
    "|돈)"
)
_ARMY = (
    "(?:(?<!전)(?<!전.)부대(?![찌끼])|생활관|훈련소|내무반|자대|신교대|병영|초소|해병대|군대|군 ?(?:복무|생활))"
    "(?!~{0,12}(?:전역|제대|다녀|갔다 온|나온|시절|때(?![려리렸])|일해))"
)
_SOLDIER = "(?:선임|후임|맞선임|고참|동기|간부|조교|교관|상급자|분대장|소대장|중대장|행보관|하사|중사|사람|애|놈)"
_BY_SOLDIERS = _any(
    f"{_ARMY}~{{0,14}}{_SOLDIER}[님들]{{0,2}}(?:이|가|은|는|도|한테|에게)(?! ?간)",
    f"{_SOLDIER}[님들]{{0,2}}(?:이|가|은|는|도|한테|에게)~{{0,14}}{_ARMY}",
    "(?<![가-힣])[선후]임들?(?:이|은|한테|에게) ~{0,8}(?:밤마다|점호|취침|소등|불침번|집합)",
    "(?:밤마다|점호|취침|소등|불침번|집합)~{0,12}(?<![가-힣])[선후]임들?(?:이|은|한테|에게)",
    "(?<![가-힣])(?:이등병|이병|일병|상병|병장|행보관|소대장|중대장|대대장)님?(?:들이|이|한테|에게)(?![가-힣])",
    f"{_ARMY}에서 ~{{0,14}}{_HURTS}",
)
_BY_PUPILS = _any(
    "(?:(?<!대)학교|교실|급식실?|우리 반|같은 반|옆 반|반) (?:[가-힣]{1,3} )?"
    "(?:애|아이|친구|선배|형|오빠|언니|누나|일진|남자애|여자애)들?"
    f"(?:(?:이|가|은|는|도) ~{{0,20}}|(?:한테|에게)(?!는) ~{{0,12}}){_HURTS}",
    f"학년 (?:선배|형|언니|오빠|누나|애)들?(?:이|가|은|는|도|한테|에게) ~{{0,20}}{_HURTS}",
    f"일진(?:들|애들| 언니| 오빠)?(?:이|가|한테|에게) ~{{0,14}}{_HURTS}",
    f"(?:애들|친구들|선배들)(?:이|한테|에게) ~{{0,10}}(?:(?<!대)학교|교실|체육관|쉬는 시간|점심 시간)~{{0,12}}{_HURTS}",
    f"(?:쉬는|점심) 시간~{{0,14}}{_HURTS}",
    f"(?:하굣길|등굣길|하교|등교)~{{0,14}}{_HURTS}",
    f"(?:(?<!대)학교|교실)에서 ~{{0,14}}{_HURTS}",
    "학폭|학교 폭력",
)
_BY_FAMILY = (
    "(?:새?아빠|새?엄마|아버지|어머니|부모님?|계부|계모|남편|아내|와이프|신랑"
    "|남친|여친|남자 친구|여자 친구|애인|삼촌|이모|고모|할머니|할아버지|친오빠|친형)"
    f"(?:이|가|은|는|께서|도|한테|에게) ~{{0,24}}{_HURTS}"
)
_NOT_BY = {
    Scene.BARRACKS: _any(_BY_FAMILY, "군대 간|회사|직장|간호|병원(?! ?(?:가|에 가))|알바|매장|가게|대학원|태움"),
    Scene.SCHOOL: _any(
        _BY_FAMILY,
        f"(?:담임|선생님?|쌤|교사|코치|감독)(?:이|가|은|는|도|께서|한테) ~{{0,20}}{_HURTS}",
        "대학|회사|직장|상사|알바|출근|남편|아내",
    ),
}
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
    (Scene.ATTACKER, _any("(?:문|현관)[을를]? ~{0,4}(?:부수고|부술|따려고|따고)", "(?:쫓아|따라)오고 있")),
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
        (Scene.BARRACKS, _BY_SOLDIERS),
        (Scene.SCHOOL, _BY_PUPILS),
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
_LIES = _any(
    f"(?<![가-힣])(?:우리 ?)?(?:{PERSON}|{BABY}|환자|옆집 사람)(?:이|가|은|는|께서|도)?(?![가-힣])"
    "(?:(?!면 |때 |때문|까 봐|꿈|미워|싫어|떠나|무서|헤어|잔소리|간섭|화내|소리 지|답답|많[은아]"
    "|(?<![가-힣])(?:내가|제가|나는|저는|나를|저를|난|전|날) )~){0,24}"
    "(?:숨[을도이]? (?:잘 )?(?:안|못) (?:셔요|쉰다|쉬(?!면|게|고 (?:말|먹|떠|일|달|얘기|뛰)|었|셨|겠|는지|던))"
    "|(?:숨(?:이|을)?|심장이) (?:멎|멈[췄추춰])(?!으면|면|었대|대)"
    "|(?<!예의.)(?<!책임.)(?<!주인.)(?<!위생.)(?<!안전.)(?<!죄.)(?<!문제.)(?<!목적.)"
    "(?<![가-힣])의식[이을]? (?:없[어는습네고]|잃|흐[려릿])"
    "|(?:안|못) 깨어나(?!면)|깨어나[지질] (?:않|못|를)"
    "|(?:깨워도|불러도|흔들어도) ~{0,6}(?:반응|의식|대답이? 없|안 깨|못 깨))",
    f"숨을? (?:안|못) 쉬[어네는]~{{0,5}}(?<![가-힣])(?:우리 ?)?(?:{PERSON}|{BABY})(?:이|가)(?=[|?]?$)",
    f"{BABY}(?:이|가)? (?:지금 |갑자기 |자꾸 )?~{{0,8}}"
    "(?:숨을? (?:가쁘게|이상하게) 쉬|숨을? 헐떡|깨워도 안 일어|축 (?:늘어|쳐[져졌])|경련"
    "|(?:얼굴|입술)이? ~{0,4}(?:파래|파랗|새파))",
)
_NOT_NOW = _any(
    "영화|드라마|소설|웹툰|만화|게임|뉴스|기사에|다큐|작년|예전|옛날|어릴|그때|돌아가[셨신시]|장례"
    "|하늘나라|입원|중환자|수술|요양|(?:병원|응급실)에 (?:있|왔|누워|도착|실려)|꿈",
    "어제|그날|지난|[년달일] 전|떠나[셨신]|임신|유산|초음파|배 속|[0-9]주",
    "매일|맨날|밤마다|아침마다|주말|늦잠|까 봐|할까봐|것 같았|거 같았|강아지|고양이|햄스터",
)


def scene(text: str, risk: Risk) -> Scene | None:
    """Return what is happening now to somebody who is at that risk, None where the words for the risk do."""
    seen = list(readings(text))
    if risk.tier >= 2:
        if _is_by_another(seen):
            return Scene.UNCONSCIOUS
        for name, pattern in _BY_LEVEL.get(risk.level, _OWN):
            if any(pattern.search(reading) and not _is_by_others(name, reading) for reading in seen):
                return name
    return Scene.BEREAVED if risk.route is Route.BEREAVEMENT else None


def is_lifeless(text: str, risk: Risk) -> bool:
    """Whether somebody does not breathe or wake, beside what the risk knows: then the ambulance is all that is said."""
    seen = list(readings(text))
    if risk.tier >= 2 and _is_by_another(seen):
        return False
    return any(_LIES.search(reading) and not _NOT_NOW.search(reading) for reading in seen)


def _is_by_another(seen: Sequence[str]) -> bool:
    """Whether somebody else swallowed something and lies there."""
    return any(_BY_ANOTHER.search(reading) and _UNCONSCIOUS.search(reading) for reading in seen)


def _is_by_others(name: Scene, reading: str) -> bool:
    """Whether it is not soldiers or pupils who do it, though barracks or a school are named."""
    return name in _NOT_BY and bool(_NOT_BY[name].search(reading))
