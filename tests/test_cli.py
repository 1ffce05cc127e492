"""The commands as people type them: what comes out, and what a mistake looks like."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bot.conversation.model import EmotionLabel
from tests.command import environment, mentos
from tests.ports import free_port

ODD_LINES = [
    "요즘 잠이 안 와요",
    "",
    "   ",
    "😀😢",
    "\u1100\u1161\u11ab decomposed",
    "\u200b\u200b",
    "tab\tand \r return",
    "line\u2028separator and \x85 next line",
    "\x00 nul",
    "가" * 100_000,
]


def objects(out: bytes) -> list[dict[str, object]]:
    assert out.endswith(b"\n")
    return [json.loads(line) for line in out.split(b"\n")[:-1]]


def one_sentence(result: subprocess.CompletedProcess[bytes]) -> str:
    """What a mistake prints: one line, no traceback, exit code not zero."""
    said = result.stderr.decode()
    assert result.returncode != 0
    assert "Traceback" not in said
    assert said.strip().count("\n") == 0, said
    return said


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


class TestBatch:
    @pytest.mark.parametrize(
        ("command", "keys"),
        [
            (["label"], {"text", "emotion", "score", "ranking"}),
            (["restyle", "--character", "seonbi"], {"text", "restyled"}),
            (["assess"], {"text", "level", "tier", "route"}),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_every_line_in_is_one_object_out_in_order(self, home: Path, command: list[str], keys: set[str]) -> None:
        result = mentos(*command, home=home, stdin="\n".join(ODD_LINES).encode() + b"\n\xff\xfe binary")
        assert result.stderr == b""
        found = objects(result.stdout)
        assert [line["text"] for line in found] == [*ODD_LINES, "\ufffd\ufffd binary"]
        assert all(line.keys() == keys for line in found)

    def test_label_ranks_all_eleven(self, home: Path) -> None:
        [line] = objects(mentos("label", home=home, stdin="내일 발표라 너무 불안해요".encode()).stdout)
        assert line["emotion"] == EmotionLabel.ANXIOUS.value
        ranking = line["ranking"]
        assert isinstance(ranking, list)
        assert {label for label, _ in ranking} == {label.value for label in EmotionLabel}
        assert ranking == sorted(ranking, key=lambda entry: -entry[1])
        assert [line["emotion"], line["score"]] == ranking[0]

    def test_restyle_speaks_by_rules_whatever_else_could_speak(self, home: Path) -> None:
        asked = partial(
            mentos, "restyle", "--character", "expert", home=home, stdin="오늘은 좀 쉬어도 괜찮아요.".encode()
        )
        by_rules = asked().stdout
        assert by_rules
        assert asked(MENTOS_LLM__URL="http://127.0.0.1:9").stdout == by_rules

    def test_restyle_speaks_in_the_character(self, home: Path) -> None:
        result = mentos("restyle", "--character", "선비", home=home, stdin="오늘은 좀 쉬어도 괜찮아요.".encode())
        [line] = objects(result.stdout)
        assert line["restyled"] == "오늘은 좀 쉬어도 괜찮소."

    def test_assess_levels(self, home: Path) -> None:
        said = "나 진짜 죽고 싶어\n배고파 죽겠다\n남편이 어제 또 저를 때렸어요\n"
        levels = [line["level"] for line in objects(mentos("assess", home=home, stdin=said.encode()).stdout)]
        assert levels == ["active", "none", "abuse"]

    def test_a_file_is_read_as_standard_input_is(self, home: Path, tmp_path: Path) -> None:
        file = tmp_path / "글.txt"
        file.write_text("안녕\n반가워", "utf-8")
        assert [line["text"] for line in objects(mentos("assess", str(file), home=home).stdout)] == ["안녕", "반가워"]

    def test_each_object_is_there_before_the_next_line_is_read(self, home: Path) -> None:
        home.parent.mkdir(exist_ok=True)
        with subprocess.Popen(
            [sys.executable, "-m", "bot", "assess"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(home),
        ) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write("안녕\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == "안녕"
            process.stdin.close()
            assert process.wait(30) == 0

    def test_a_missing_file_or_character_is_one_sentence(self, home: Path) -> None:
        assert "nowhere.txt" in one_sentence(mentos("label", "nowhere.txt", home=home))
        assert "seonbi" in one_sentence(mentos("restyle", "--character", "nobody", home=home))

    def test_assessing_loads_no_model(self, home: Path) -> None:
        code = "import sys, bot.cli, bot.safety.assess; assert not {'kiwipiepy', 'torch'} & sys.modules.keys()"
        subprocess.run([sys.executable, "-c", code], env=environment(home), check=True)


class TestPipe:
    def test_replies_only_off_the_record_and_asking_nothing(self, home: Path) -> None:
        result = mentos("chat", home=home, stdin="요즘 잠이 안 와요\n/말투 선비\n시험이 걱정돼요\n".encode())
        assert result.returncode == 0
        assert result.stderr == b""
        lines = result.stdout.decode().splitlines()
        assert len(lines) == 3
        assert "저장" not in result.stdout.decode()
        assert not home.exists()

    def test_odd_lines_are_answered_all_the_same(self, home: Path) -> None:
        result = mentos("chat", home=home, stdin="\n".join(ODD_LINES).encode() + b"\n\xff\xfe\x00")
        assert result.returncode == 0
        assert result.stderr == b""
        assert len(result.stdout.decode().splitlines()) >= len(ODD_LINES)

    def test_words_in_danger_get_help(self, home: Path) -> None:
        said = mentos("chat", home=home, stdin="오늘 밤에 죽으려고 유서 썼어\n".encode()).stdout.decode()
        assert {"109", "119"} <= set(said.replace("·", " ").replace("*", " ").replace("(", " ").split()) or (
            "109" in said and "119" in said
        )

    def test_it_speaks_the_language_that_is_set(self, home: Path) -> None:
        said = mentos("chat", home=home, stdin=b"I want to kill myself\n", MENTOS_LANGUAGE="en").stdout.decode()
        assert "109" in said
        assert "Suicide prevention" in said

    def test_with_assumed_consent_the_turns_are_stored(self, home: Path) -> None:
        result = mentos("chat", home=home, stdin="안녕\n반가워\n".encode(), MENTOS_CONSENT__ASSUME="storage,memory")
        assert result.returncode == 0, result.stderr
        select = "select dialog_emotion, dt_delivered from dialog"
        rows = sqlite3.connect(home / "mentos.sqlite3").execute(select).fetchall()
        assert len(rows) == 2
        assert all(EmotionLabel(label) and delivered for label, delivered in rows)


class TestTerminal:
    def chat(self, home: Path, *lines: str, **variables: str) -> str:
        """Type lines at a real pseudo-terminal and return the screen."""
        outer, inner = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "bot", "chat"],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment(home, TERM="dumb", **variables),
            cwd=home.parent,
        ) as process:
            os.close(inner)
            screen = b""
            for line in [*lines, "/quit"]:
                while not screen.endswith("나> ".encode()):
                    screen += os.read(outer, 65_536)
                os.write(outer, line.encode() + b"\n")
                screen += b"\n"
            while True:
                try:
                    read = os.read(outer, 65_536)
                except OSError:
                    break
                if not read:
                    break
                screen += read
            assert process.wait(30) == 0, screen.decode()
        os.close(outer)
        return screen.decode()

    def test_ten_turns_in_three_tones_are_stored_after_the_yes(self, home: Path) -> None:
        screen = self.chat(
            home,
            "요즘 잠이 안 와요",
            "네",
            "시험이 코앞이라 불안해요",
            "자꾸 실수할까 봐요",
            "/tone 선비",
            "친구가 응원해 줘서 고마웠어요",
            "그래도 걱정이 돼요",
            "엄마한테도 말을 못 했어요",
            "/tone 친구",
            "오늘은 좀 쉬고 싶어요",
            "산책이라도 할까요?",
            "내일은 도서관에 가려고요",
            "고마워요",
        )
        assert "AI" in screen
        rows = (
            sqlite3.connect(home / "mentos.sqlite3")
            .execute("select dialog_emotion, dt_delivered from dialog")
            .fetchall()
        )
        assert len(rows) == 9
        assert all(emotion and delivered for emotion, delivered in rows)
        counsels = (
            sqlite3.connect(home / "mentos.sqlite3")
            .execute("select character_id, dt_end is not null from counsel order by counsel_id")
            .fetchall()
        )
        assert counsels == [("mentos", 1), ("seonbi", 1), ("friend", 0)]

    def test_it_imports_no_web_library(self, home: Path) -> None:
        code = (
            "import sys, bot.talk; "
            "web = {'fastapi', 'starlette', 'uvicorn', 'discord', 'gradio', 'torch', 'transformers'}; "
            "loaded = web & sys.modules.keys(); "
            "assert not loaded, loaded"
        )
        subprocess.run([sys.executable, "-c", code], env=environment(home), check=True)


def contents(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "lock"}


class TestMistakes:
    def test_a_wrong_master_key_is_refused_and_nothing_is_touched(self, home: Path) -> None:
        assume = {"MENTOS_CONSENT__ASSUME": "storage"}
        assert mentos("chat", home=home, stdin="안녕\n".encode(), **assume).returncode == 0
        before = contents(home)
        wrong = mentos("chat", home=home, stdin="안녕\n".encode(), MENTOS_KEYS__MASTER="A" * 43 + "=", **assume)
        assert "master key" in one_sentence(wrong)
        assert contents(home) == before

    def test_a_lost_master_key_is_not_replaced(self, home: Path) -> None:
        assume = {"MENTOS_CONSENT__ASSUME": "storage"}
        mentos("chat", home=home, stdin="안녕\n".encode(), **assume)
        (home / "master.key").unlink()
        assert "master.key" in one_sentence(mentos("chat", home=home, stdin="안녕\n".encode(), **assume))
        assert not (home / "master.key").exists()

    @pytest.mark.parametrize(
        ("variable", "value", "said"),
        [
            ("MENTOS_KEYS__MASTER", "not base64!", "base64"),
            ("MENTOS_DATABASE__URL", "postgresql://h/db", "mysql+asyncmy"),
            ("MENTOS_LLM__TOP_P", "1.0", "MENTOS_LLM__TOP_P"),
            ("MENTOS_CONSENT__ASSUME", "everything", "MENTOS_CONSENT__ASSUME"),
            ("MENTOS_HOME", "/proc/nowhere", "/proc/nowhere"),
            ("MENTOS_LLM", "http://x", ".env"),
        ],
    )
    def test_a_wrong_setting_is_one_sentence(self, home: Path, variable: str, value: str, said: str) -> None:
        variables = {"MENTOS_CONSENT__ASSUME": "storage", variable: value}
        result = mentos("chat", home=home, stdin="안녕\n".encode(), **variables)
        assert said in one_sentence(result)

    @pytest.mark.parametrize("name", ["master.key", "characters/x.toml"])
    def test_a_folder_where_a_file_should_be_is_one_sentence(self, home: Path, name: str) -> None:
        (home / name).mkdir(parents=True)
        result = mentos("chat", home=home, stdin=b"hi\n", MENTOS_CONSENT__ASSUME="storage")
        assert name.rpartition("/")[2] in one_sentence(result)

    def test_a_wrong_secret_is_never_quoted(self, home: Path) -> None:
        variables = {"MENTOS_CONSENT__ASSUME": "storage", "MENTOS_KEYS__MASTER": "very secret!"}
        assert "very secret" not in one_sentence(mentos("chat", home=home, stdin=b"hi\n", **variables))

    def test_an_unreachable_mysql_is_one_sentence_without_the_password(self, home: Path) -> None:
        port = free_port()
        url = f"mysql+asyncmy://mentos:pa55word@127.0.0.1:{port}/mentos"
        result = mentos("chat", home=home, stdin=b"hi\n", MENTOS_CONSENT__ASSUME="storage", MENTOS_DATABASE__URL=url)
        said = one_sentence(result)
        assert f"127.0.0.1:{port}" in said
        assert "pa55word" not in said

    def test_an_unreachable_model_is_answered_by_the_script(self, home: Path) -> None:
        result = mentos("chat", home=home, stdin="요즘 잠이 안 와요\n".encode(), MENTOS_LLM__URL="http://127.0.0.1:9")
        assert result.returncode == 0
        assert result.stdout.strip()

    def test_a_broken_character_file_is_named(self, home: Path) -> None:
        (home / "characters").mkdir(parents=True)
        (home / "characters" / "broken.toml").write_text("id = ", "utf-8")
        assert "broken.toml" in one_sentence(mentos("chat", home=home, stdin=b"hi\n"))

    def test_a_newer_database_is_refused(self, home: Path) -> None:
        assume = {"MENTOS_CONSENT__ASSUME": "storage"}
        mentos("chat", home=home, stdin="안녕\n".encode(), **assume)
        with sqlite3.connect(home / "mentos.sqlite3") as rows:
            rows.execute("update alembic_version set version_num = '9999_from_the_future'")
        rows.close()
        assert "9999_from_the_future" in one_sentence(mentos("chat", home=home, stdin="안녕\n".encode(), **assume))


class TestDoctor:
    def test_a_new_machine_is_well_and_stays_untouched(self, home: Path) -> None:
        result = mentos("doctor", home=home)
        assert result.returncode == 0, result.stdout.decode()
        assert "MENTOS_LLM__URL" in result.stdout.decode()
        assert not home.exists()

    def test_what_is_on_but_dead_is_named_with_its_remedy(self, home: Path) -> None:
        result = mentos("doctor", home=home, MENTOS_LLM__URL="http://127.0.0.1:9")
        assert result.returncode == 1
        assert "MENTOS_LLM__URL" in result.stdout.decode()
        assert "127.0.0.1:9" in result.stdout.decode()
