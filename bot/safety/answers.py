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
    r"|죽고 ?싶(?:지는? ?않|(?:은|다는) ?(?:건|것은|게|거는|정도는|말은|얘기는|뜻은) ?아니|진 ?않)|no(?:t)? (?:thoughts?|plans?) of (?:dying|suicide)|don'?t want to die",
    re.IGNORECASE,
)
_NOT_YES = re.compile(r"없|아니|안 |않|괜찮|못 |\b(?:no|not)\b", re.IGNORECASE)
_NOT_NO = re.compile(r"맞아|안 ?괜찮|모르|무서|죽고 ?싶어|싶기도|know|point", re.IGNORECASE)
_TWICE_DENIED = re.compile(r"없어지|없지 ?않|(?:때|날|적)이? ?없|때가 ?없|하려고 ?해도|안 ?들 ?때|않은 ?날")
_HERE = "(?:(?:지금|방금|우리 ?집에|저희 ?집에|집에|여기|와 ?줘서|와 ?주셔서|와서) ?){0,3}"
SAFE = re.compile(
    rf"{_PERSON} ?{_HERE}(?:옆|곁)에(?:서)? ?(?:있어(?! ?[주줄줘도야])|있습니다|계[셔세]|와 ?[있줬준주]|왔)"
    rf"|(?:옆|곁)에 (?:[가-힣]{{1,4}} )?{_PERSON} ?(?:있어(?! ?[주줄줘도야])|있습니다|계[셔세]|와 ?있)"
    rf"|{_PERSON} ?{_HERE}(?:같이|함께) ?(?:있어(?! ?[주줄줘도야])|있습니다|있기로|자기로|병원)"
    rf"|{_PERSON} ?(?:(?:저 |나 )?대신 |(?:109|119|112|병원|경찰)[가-힣]{{0,2}} ?){{1,3}}(?:전화|신고|연락)(?:를|을)? ?해 ?(?:줬(?!으면)|주셨(?!으면)|줘서)"
    rf"|{_PERSON} ?(?:저 |나 )?(?:대신 )?(?:119|112|구급차|경찰)(?:를|을)? ?불러 ?(?:줬(?!으면)|주셨(?!으면)|줘서)"
    r"|(?:109|119|112|1577|1366|1388|상담|구급차)[가-힣0-9\- ]{0,8}?(?:전화|문자|연락|상담|신고)?(?:를|은|도)? ?(?:했어|했습|하고 ?있|걸었|보냈|불렀|받고 ?있|해 ?볼게|할게)"
    r"|(?:병원|응급실|상담|센터)(?:에|으로|을|를)? ?(?:왔|가고 ?있|도착|갈게|가 ?볼게)|(?:구급차|119|경찰)(?:이|가) ?(?:왔|오고|온대)"
    r"|(?:다|약|칼|위험한)[가-힣 ]{0,6}(?:치웠|맡겼|버렸)(?:어|습|네)|난간에서 ?내려왔|(?:좀|조금|많이|한결|이제) ?(?:괜찮아졌|나아졌|진정|가라앉)"
    r"|my (?:mom|mum|mother|dad|father|sister|brother|friend|husband|wife) (?:called|is calling) (?:109|119|112|988|an ambulance)"
    r"|i called (?:109|119|112|988)|i'?m (?:safe|with (?:my (?:mom|mum|mother|dad|father|sister|brother|friend|husband|wife)|somebody|someone))|feeling (?:better|calmer)",
    re.IGNORECASE,
)
BARRIER = re.compile(
    r"(?:전화|말|문자|상담|신고|연락|병원|얘기|이야기)[가-힣 ]{0,12}(?:못 ?하겠|무서|무섭|겁|싫|힘들|어려|부담|떨려|부끄|창피|소용|자신 ?없|용기)"
    r"|소용 ?없|(?:들킬|알게 ?될|알까|혼날)[가-힣 ]{0,6}(?:봐|까)|돈(?:이)? ?(?:없|들)|비밀로|이미 ?해 ?봤|아무도 ?없|줄 ?(?:사람|데|곳)(?:이|도|은)? ?(?:아무도 |하나도 )?없|아무도 [가-힣 ]{0,10}(?:지 ?않|안 ?(?:와|받|도와|들어)|못 ?믿)"
    r"|(?:can'?t|scared to|afraid to|don'?t want to) (?:call|talk|tell|text)|no use|useless",
    re.IGNORECASE,
)
_NOT_TOLD = r"(?![^.?!\n]{0,24}[았었했갔왔됐줬렸])"
_ASKS = r"[가-힣]{0,4}(?:\?|까(?:요|$|\s)|나요?(?![가-힣])|[는은인]가요?(?![가-힣])|죠(?![가-힣]))"
_ABOUT_A_LINE = (
    r"(?:뭐 ?하는|뭐하|뭐야|뭔데|뭔가|뭐예요|뭐에요|뭐죠|어떤 ?(?:데|곳)|어디(?:야|예|에요|죠|인)|누가 ?받|뭐라고 ?(?:해|하|말)"
    r"|무슨 ?(?:말|얘기)|어떻게 ?(?:돼|되|말|해요|하면)|돈 ?(?:들|내|나가)|무료|공짜|비용|기록|비밀|익명|이름|몇 ?시)"
)
_OTHER_LINE = r"(?<!\d)(?:112|117|119|1303|1342|1366|1388|1577(?:[- ]?0199)?)(?![\d호동층명원])"
_LINE = r"(?:(?<!\d)109(?![\d호동층명원]|번 ?버스)|상담 ?전화)"
_OTHER_REPORT = (
    "(?<!보험|세금|소득|출생|사망|혼인|전입|폐업|분실)(?<!(?:보험|세금|소득|출생|사망|혼인|전입|폐업|분실) )"
)
_IF_TOLD = (
    rf"(?:{_OTHER_REPORT}신고(?:를 ?)?(?:하|되|당하)면"
    r"|(?:112|119|경찰|구급차)[가-힣]{0,2} ?(?:[가-힣]{1,4} )?(?:부르|오|전화하|신고하|연락하|알리)면)"
)
_HELP = r"(?:줘요?(?![가-힣])|주세요|주라(?![가-힣])|줄래|줄 ?수 ?있[어나을는니]|주실 ?수 ?있|주실래|주시겠|주면 ?안|주시면 ?안)"
QUESTIONS = {
    "first_aid": re.compile(
        r"(?:(?:억지로|강제로) ?)?(?:토|구토)(?:를|하게)? ?(?:하게 |하도록 )?"
        r"(?:할까|시킬까|시켜야|시켜도|시키면|해도 ?(?:돼|되|될|괜찮)|하면 ?(?:돼|되|될|괜찮|나을까|나아질까)"
        rf"|해야 ?(?:할까|하나|하는지|되나|될까|하죠|(?:돼|해){_ASKS}))"
        r"|(?<![가-힣])토하(?:게|도록) ?해야 ?[돼되해]|(?<![가-힣])(?:물|우유|소금물|숯)(?:을|를|이라도|라도)? ?(?:많이 |좀 )?"
        r"(?:먹일까|먹여도 ?(?:돼|되|될|괜찮)|먹이면 ?(?:돼|되|될|괜찮)|먹여야 ?(?:하나|할까|되나|될까|하죠)|마시게 ?(?:할까|해도|하면|해야)"
        r"|마실까|마셔도 ?(?:돼|되|될|괜찮)|마시면 ?(?:돼|되|될|괜찮|나아|나을))"
        r"|should (?:i|we) (?:make|let) (?:him|her|them|myself) (?:vomit|throw up)"
        r"|should (?:i|he|she|they|we) (?:vomit|throw up)(?!.{0,20}\b(?:meals?|eat(?:ing)?|dinner|lunch|food|bing\w+))",
        re.IGNORECASE,
    ),
    "reporting": re.compile(
        rf"{_IF_TOLD}{_NOT_TOLD}[가-힣 ]{{0,16}}?(?:잡혀|잡아 ?가|끌려|처벌|벌 ?(?:을 ?)?받|벌금|감옥|교도소|구속|빨간 ?줄|전과|조사"
        r"|어떻게 ?(?:돼|되|될|하)|무슨 ?일|뭐 ?(?:해|하|물어)|뭐라고|집(?:에|으로|까지)? ?(?:와|오|찾아)|입원|쫓겨|알게 ?(?:돼|되|될)|연락 ?(?:가|이 ?가))"
        rf"|{_OTHER_REPORT}신고해도 ?(?:돼|되|될|괜찮)"
        r"|(?:전화|문자)하면 ?(?:집에 |집으로 |바로 )?(?:경찰|구급차|119|112)[가-힣]{0,2} ?(?:와|오|출동|보내)"
        rf"|강제(?:로)? ?입원(?:을|이)? ?(?:시키|시켜|당하|되|돼|할|해){_ASKS}"
        rf"|(?:자살 ?시도|죽으려)[가-힣 ]{{0,10}}(?:처벌|벌 ?받|잡혀|감옥|전과){_ASKS}"
        r"|what happens (?:if|when) (?:i|we) (?:call|report|tell)"
        r"|if (?:i|we) (?:call|report|tell)\b.{0,40}\b(?:arrested|punished|jail|hospital|committed|locked up)"
        r"|(?:will|would|do|does|can) (?:i|we|he|she|they|my \w+) (?:get|be|go|lock) (?:to |(?:me|him|her|them) )?(?:arrested|punished|jail|committed|locked up|up)(?! at (?:work|school))",
        re.IGNORECASE,
    ),
    "other_line": re.compile(
        rf"{_OTHER_LINE}{_NOT_TOLD}[가-힣]{{0,3}} ?[가-힣 ]{{0,12}}?{_ABOUT_A_LINE}"
        r"|what is (?:112|117|119|1303|1342|1366|1388|1577)|who answers (?:at )?(?:112|117|119|1303|1342|1366|1388|1577)",
        re.IGNORECASE,
    ),
    "helpline": re.compile(
        rf"{_LINE}{_NOT_TOLD}[가-힣]{{0,3}} ?[가-힣 ]{{0,12}}?{_ABOUT_A_LINE}"
        rf"|거기(?:는|가)? ?(?:뭐 ?하는|뭐하|누가 ?받)|거기(?:에|로)? ?(?:전화|문자)(?:를 ?)?하면{_NOT_TOLD} ?[가-힣 ]{{0,6}}?{_ABOUT_A_LINE}"
        rf"|(?<!한테 )(?<!에게 )(?<!한테)(?<!에게)(?:전화|문자)(?:를 ?)?하면{_NOT_TOLD} ?[가-힣 ]{{0,6}}?"
        r"(?:누가 ?받|돈 ?(?:들|내|나가)|무료|기록(?:이|도)? ?남|비밀|무슨 ?말|뭐라고 ?(?:해|하|말))"
        r"|is (?:109|the (?:help|hot)line) (?:free|anonymous)"
        r"|(?:what|who) (?:is|answers)(?: at)? (?:109|the (?:help|hot)?line)(?! manager)"
        r"|what (?:do|should|would) i say (?:if|when) i (?:call|text)|what (?:do|should) i say to (?:109|the (?:help|hot)?line)",
        re.IGNORECASE,
    ),
    "unable_to_come": re.compile(
        r"(?:네가|니가|너가|당신이|멘토스가|대신)[가-힣0-9 ]{0,12}?(?:신고|전화|연락|문자)(?:를|을|도)? ?(?:좀 )?(?:해 ?|보내 ?)"
        rf"(?:{_HELP}|줬으면)"
        rf"|(?:신고|전화|연락)(?:를|을)? ?(?:좀 )?해 ?{_HELP}|(?:119|112|경찰|구급차)(?:를|을)? ?(?:좀 )?불러 ?{_HELP}"
        rf"|(?:여기로|여기|나한테|저한테|우리 ?집(?:에|으로)?|이리) ?(?:지금 |좀 )?(?:와 ?{_HELP}|올 ?수 ?있[어나을는니]|올래)"
        r"|^(?:지금 |좀 )?와 ?(?:줄 ?수 ?있|주실 ?수 ?있|줄래)"
        r"|(?:can|could|will) you (?:please )?(?:come(?: here| over| to me)?(?=\W*$)|report|(?:call|text|contact) (?:them|someone|somebody|for me|1\d\d|911|988"
        r"|the police|an ambulance|my \w+))",
        re.IGNORECASE,
    ),
}
"""What people ask about help, the most pressing first, by the answer in `crisis.toml`."""
_BY_OTHERS = rf"(?:{_PERSON}(?<=[이가은는도서])|누가|누군가|누구|아무나|아무도)"
_ASKS_OTHERS = re.compile(
    rf"{_BY_OTHERS} ?(?:(?:저|나|내|제|대신|좀|지금|꼭|나한테|저한테|우리 집에|여기로) ?){{0,3}}(?:신고|전화|연락|문자|와 ?[주줄줘]|불러|올 ?수)"
)
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
    r"|(?:그동안|그간|지금까지|(?<![가-힣])다들?|모두)[가-힣 ]{0,14}고마웠|고마웠[가-힣]{1,3} (?:다들|모두|잘 ?(?:있|지내|살)|안녕)"
    r"|^\W*(?:(?:정말|진짜|너무|참) ?)*고마웠(?:어요?|다|습니다|네요?|음)\W*$"
)
"""After danger was told: it is prepared, or at hand."""
ABOUT_TO = re.compile(
    r"(?:지금|곧|이따가?|오늘|내일|이제|당장)[가-힣 ]{0,8}(?:뛰어 ?내릴|뛰어 ?들|투신할|목 ?(?:을 ?)?(?:맬|매달)|죽을) ?"
    r"(?:건데|거(?:야|예요|에요|니까|고)|겁니다|게(?:요)?(?![가-힣])|려고)"
)
"""After any danger was told: it is meant to happen now."""
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
    kind = next((kind for kind, asked in QUESTIONS.items() if asked.search(text)), None)
    return None if kind == "unable_to_come" and _ASKS_OTHERS.search(text) else kind


def is_about_to(text: str) -> bool:
    """Whether somebody says that they will do it now; what others are about to do is not meant."""
    meant = ABOUT_TO.search(text)
    return meant is not None and not re.search(_BY_OTHERS, text[: meant.start()])


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
