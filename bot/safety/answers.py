"""What the answers to fixed questions say: yes, no, that there is no such wish, that one is safe, what bars the way."""

import re

SHORT = 25
"""Letters up to which a message may be no more than a yes or a no."""

_ENDS = r"(?=$|[\s.,!?~…ㅠㅜㅋ])"
_PERSON = "(?:엄마|아빠|어머니|아버지|부모님|언니|오빠|누나|형|동생|남편|아내|와이프|친구|가족|이모|삼촌|고모|할머니|할아버지|선생님|쌤|동료|룸메|애인|남친|여친|사람|이웃)[가-힣]{0,4}"

YES = re.compile(
    rf"^(?:네+|넵|넹|예+|응+|어+|웅|ㅇㅇ|ㅇ|그래요?|맞아요?|있어요?|있습니다|가끔요?|자주요?|조금요?|매일요?|자꾸요?|yes|yeah|yep|sometimes|often|i do){_ENDS}"
    r"|^그런 ?것 ?같|^그럴 ?때(?:가|도)? ?있|^(?:생각)?(?:나요|들어요|해요)",
    re.IGNORECASE,
)
NO = re.compile(
    rf"^(?:아니[요오]?|아뇨|아닙니다|아냐|ㄴㄴ|ㄴ|no|nope|not really|i don'?t(?: think so)?){_ENDS}|^전혀(?:요|$| ?(?:아니|없|안 ?그))"
    r"|^그런 ?(?:건|생각은?|마음은?|거는?|뜻은?) ?(?:아니|아냐|없|안|전혀)|^그 ?정도는? ?아니|^(?:없어요?|없습니다)$|^죽고 ?싶(?:은|진|지는?) ?(?:건|않|정도는)",
    re.IGNORECASE,
)
DENIES = re.compile(
    r"그런 ?(?:생각|마음|뜻)(?:은|까지는?|이|도)? ?(?:전혀 |절대 |이제 )?(?:없|안 ?(?:해|들|하)|아니)"
    r"|(?:죽|자살)[가-힣 ]{0,8}(?:생각|마음)[가-힣 ]{0,5}?(?:은|이|도|거)? ?(?:전혀 |절대 |이제 |정말 )?(?:없|안 ?(?:해|들|하)|아니)"
    r"|죽고 ?싶(?:지는? ?않|은 ?(?:건|것은|게|정도는) ?아니|진 ?않)|no(?:t)? (?:thoughts?|plans?) of (?:dying|suicide)|don'?t want to die",
    re.IGNORECASE,
)
_NOT_YES = re.compile(r"없|아니|안 |않|괜찮|못 |\b(?:no|not)\b", re.IGNORECASE)
_NOT_NO = re.compile(r"맞아|안 ?괜찮|모르|무서|죽고 ?싶어|싶기도|know|point", re.IGNORECASE)
_TWICE_DENIED = re.compile(r"없어지|없지 ?않|(?:때|날|적)이? ?없|때가 ?없|하려고 ?해도|안 ?들 ?때|않은 ?날")
SAFE = re.compile(
    rf"{_PERSON} ?(?:지금 |방금 )?(?:옆|곁)에(?:서)? ?(?:있어(?! ?[주줄줘도야])|있습니다|계[셔세]|와 ?[있줬준주]|왔)"
    rf"|(?:옆|곁)에 (?:[가-힣]{{1,4}} )?{_PERSON} ?(?:있어(?! ?[주줄줘도야])|있습니다|계[셔세]|와 ?있)"
    rf"|{_PERSON} ?(?:지금 )?(?:같이|함께) ?(?:있어(?! ?[주줄줘도야])|있습니다|있기로|자기로|병원)"
    r"|(?:109|119|112|1577|1366|1388|상담|구급차)[가-힣0-9\- ]{0,8}?(?:전화|문자|연락|상담|신고)?(?:를|은|도)? ?(?:했어|했습|하고 ?있|걸었|보냈|불렀|받고 ?있|해 ?볼게|할게)"
    r"|(?:병원|응급실|상담|센터)(?:에|으로|을|를)? ?(?:왔|가고 ?있|도착|갈게|가 ?볼게)|(?:구급차|119|경찰)(?:이|가) ?(?:왔|오고|온대)"
    r"|(?:다|약|칼|위험한)[가-힣 ]{0,6}(?:치웠|맡겼|버렸)(?:어|습|네)|난간에서 ?내려왔|(?:좀|조금|많이|한결|이제) ?(?:괜찮아졌|나아졌|진정|가라앉)"
    r"|i called (?:109|119|112|988)|i'?m (?:safe|with (?:my (?:mom|mum|mother|dad|father|sister|brother|friend|husband|wife)|somebody|someone))|feeling (?:better|calmer)",
    re.IGNORECASE,
)
BARRIER = re.compile(
    r"(?:전화|말|문자|상담|신고|연락|병원|얘기|이야기)[가-힣 ]{0,12}(?:못 ?하겠|무서|무섭|겁|싫|힘들|어려|부담|떨려|부끄|창피|소용|자신 ?없|용기)"
    r"|소용 ?없|(?:들킬|알게 ?될|알까|혼날)[가-힣 ]{0,6}(?:봐|까)|돈(?:이)? ?(?:없|들)|비밀로|이미 ?해 ?봤|(?:아무도|들어 ?줄 ?사람) ?없"
    r"|(?:can'?t|scared to|afraid to|don'?t want to) (?:call|talk|tell|text)|no use|useless",
    re.IGNORECASE,
)
_LINE = "(?:109|119|112|1366|1388|1577|거기|상담 ?전화|상담(?:소|사|원))"
QUESTIONS = {
    "first_aid": re.compile(
        r"토(?:를|하게)? ?(?:하게 ?(?:할|해|하)|시[키킬켜]|해야|하면 ?(?:돼|되|괜찮)|할까)"
        r"|(?:물|우유|소금물|커피)(?:을|를|이라도)? ?(?:많이 )?(?:먹[이여]|마시게|마셔도|먹어도|마시면)"
        r"|(?:make|should) (?:him|her|them|i|myself)? ?(?:vomit|throw up)",
        re.IGNORECASE,
    ),
    "reporting": re.compile(
        r"(?:신고|112|119|경찰|구급차)[가-힣 ]{0,16}(?:잡혀|잡아 ?가|끌려|처벌|벌 ?받|감옥|빨간 ?줄|어떻게 ?(?:돼|되|될)|(?:어떤|무슨) 일|집으?로? ?(?:와|오)|집에 ?(?:와|오)|입원|쫓겨)"
        r"|(?:잡혀|끌려|처벌|감옥|강제로? ?입원)[가-힣 ]{0,8}(?:나요|까|가요|거야|되|돼|려나|\?)"
        r"|(?:get|be|go) (?:arrested|punished|to jail)|what happens (?:if|when) i (?:call|report)",
        re.IGNORECASE,
    ),
    "helpline": re.compile(
        rf"{_LINE}[가-힣]{{0,3}} ?[가-힣 ]{{0,12}}(?:뭐 ?하는|뭐하|뭐야|뭔데|뭐예요|어떤 ?(?:데|곳)|어디(?:야|예|에)|누가 ?받|어떻게 ?(?:돼|되|하|해)|뭐라고|무슨 ?(?:말|얘기)|돈 ?(?:들|내|나)|무료|공짜|비용|기록|비밀|익명|이름)"
        r"|(?:전화|문자)(?:하|를 ?하|를|하게)?면? ?[가-힣 ]{0,6}(?:뭐라고 ?(?:해|하|말)|무슨 ?말|어떻게 ?말|누가 ?받|돈 ?(?:들|내)|기록 ?(?:남|이)|비밀)"
        r"|(?:what|who) (?:is|answers) (?:109|the line)|what (?:do|should) i say",
        re.IGNORECASE,
    ),
    "unable_to_come": re.compile(
        r"(?:네가|니가|너가|당신이|대신)[가-힣 ]{0,8}(?:신고|전화|연락|불러)|(?:여기로|나한테|저한테|우리 ?집)[가-힣 ]{0,6}(?:와 ?(?:줘|주|줄)|올 ?수)|와 ?(?:줄 ?수|주실 ?수|주면 ?안)|(?:신고|전화)(?:해|를 ?해|를|도)? ?(?:줄 ?수|주실|줄래|줘|주면|해 ?줘|좀 ?해)"
        r"|can you (?:come|call|report)",
        re.IGNORECASE,
    ),
}
"""What people ask about help, the most pressing first, by the answer in `crisis.toml`."""
UNSAFE = re.compile(
    r"안 ?받|아무도|없[어다는네고음]|없습|못 ?|안 ?(?:괜찮|할|하고|갈|가고)|않|무서|무섭|혼자|싫|소용|더 ?(?:심|힘|커)|다시|거짓말|물건|강아지|고양이|마지막|미안|다음 ?생|돌려보|결심|안 ?(?:버|치|맡)|졸려|정리|(?:으)?면 ?(?:좋|돼)|그래도 ?(?:죽|또)|또 ?(?:죽|하고)"
    r"|\b(?:not|no|nobody|alone|didn'?t|won'?t|can'?t|don'?t)\b",
    re.IGNORECASE,
)
"""Beside what makes safe it says that one is not."""


INTENDS = re.compile(r"(?:볼게|할게|갈게|예약|하려고)")
"""What is meant to be done: at the worst moment it does not yet make safe."""
RETURNS = re.compile(
    r"혼자(?: ?(?:있|예|야|임|남)|$)|아무도 ?없|안전하(?:지 ?(?:는 ?|가 ?)?(?:않|못)|다고는)|못 ?(?:버렸|치웠|맡겼|버리|치우)|다시 ?(?:올라|나왔)"
    r"|(?:엄마|아빠|언니|오빠|누나|형|동생|남편|아내|친구)[가-힣]{0,4} ?(?:방금 |이제 |먼저 )?(?:나갔|잠들|갔어|자요)|거짓말|안 ?받아|i'?m (?:alone|not safe)",
    re.IGNORECASE,
)
"""After danger was told, and some safety: it is gone again."""
PLANNED = re.compile(r"준비|정했|정해 ?[뒀놨]|찾아 ?[뒀놨]|구했|구해 ?[뒀놨]")
"""After the question about a plan: there is one."""
NOT_SAFE_HERE = re.compile(r"안전하지|안 ?안전|위험")
"""After the question whether the place is safe."""
MEANS = re.compile(
    r"농약|번개탄|연탄|밧줄|수면제|제초제|방아쇠|약(?:이|은|도)? ?(?:[가-힣]{1,3} )?남(?:아|았)|모아 ?(?:놨|놓|뒀|둔)"
)
"""What is named here after the question about a wish to die is an answer to it."""
PREPARED = re.compile(
    rf"{MEANS.pattern}|"
    r"정리(?:를 ?|는 ?)?(?:다 ?)?(?:해 ?(?:놨|놓았|뒀|두었)|했)|(?:편지|메모|문자)[가-힣 ]{0,6}(?:썼|써 ?(?:놨|뒀|놓|두))|준비(?:는|도|를)? ?(?:다 ?)?(?:해 ?(?:놨|뒀)|했|끝|됐)"
    r"|(?:칼|가위|줄)[가-힣]{0,2} ?(?:들고|쥐고|잡고|앞에|옆에)|오늘 ?(?:밤)?(?:에)? ?(?:하려고|할 ?거|끝내)|날(?:짜|도)[가-힣]{0,2} ?(?:정|잡)"
    r"|(?:^|그동안|그간|지금까지|다들?|정말|진짜|모두|너무) ?고마웠(?:어|다|습|네)"
)
"""After danger was told: it is prepared, or at hand."""
SWALLOWED = re.compile(
    r"(?:알|통|약|봉지|병)[가-힣]{0,2} ?(?:[가-힣]{1,4} )?(?:먹었|삼켰|마셨|털어)|졸려|잠이 ?쏟아|토했|어지러워|몸이 ?이상"
)
"""While danger is imminent: something was swallowed, or shows that it was."""


_DENIAL = re.compile(
    r"(?:자살|죽고 ?싶|죽으려|따라가고 ?싶)[가-힣]{0,4} ?(?:그런 ?)?(?:생각|마음|뜻)?(?: ?같은)?(?: ?(?:건|거|것))?(?:은|는|이|도|까지는)? ?(?:그런 ?(?:건|거)(?:는|은)? ?)?(?:전혀 |절대 )?"
    r"(?:아니(?:에요|예요|야|고|지만)|없어요?(?! ?지)(?![가-힣])|없습니다|없고(?! ?싶)|안 ?(?:들어요|해요|했어요|해 ?봤))"
)


def without_denials(text: str) -> str:
    """Leave what a text says besides that there is no wish to die."""
    return text if _TWICE_DENIED.search(text) else _DENIAL.sub(" ", text)


def question(text: str) -> str | None:
    """Return which question about help somebody asks, None where it is none."""
    return next((kind for kind, asked in QUESTIONS.items() if asked.search(text)), None)


def is_yes(text: str) -> bool:
    return bool(YES.search(text.strip())) and not _NOT_YES.search(text)


def is_no(text: str) -> bool:
    return bool(NO.search(text.strip())) and not _NOT_NO.search(text) and not _TWICE_DENIED.search(text)


def is_planned(text: str) -> bool:
    return bool(PLANNED.search(text)) and not _NOT_YES.search(text)


def denies(text: str) -> bool:
    """Whether it is said in so many words that there is no wish to die; said twice it is none."""
    return bool(DENIES.search(text)) and not _TWICE_DENIED.search(text)


def is_safe(text: str) -> bool:
    return bool(SAFE.search(text)) and not UNSAFE.search(text)
