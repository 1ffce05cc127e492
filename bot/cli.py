"""The `mentos` command. What a door needs is imported when that door is opened: `mentos chat` loads no web library."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from bot import batch
from bot.conversation.model import Character, Mendable
from bot.settings import read_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

File = Annotated[
    Path | None, typer.Argument(help="한 줄에 글 하나 · one text a line (없으면 표준 입력 · default: standard input)")
]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="들을 주소 · address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="들을 포트 · port; taken ones are skipped")] = 8000,
) -> None:
    """모든 창구를 엽니다. · Open every door: HTTP, KakaoTalk, Discord."""
    from bot.serve import serve as serve_doors

    asyncio.run(serve_doors(read_settings(), host=host, port=port, say=typer.echo))


@app.command()
def chat(
    *, guest: Annotated[bool, typer.Option("--guest", help="손님으로 · as a guest, kept for a day at most")] = False
) -> None:
    """터미널에서 이야기합니다. · Talk in the terminal; lines from a pipe are answered off the record."""
    from bot.talk import talk

    talk(read_settings(), is_guest=guest)


@app.command()
def doctor() -> None:
    """모든 부분을 살펴봅니다. · Check every part and say the remedy."""
    from bot.doctor import examine

    is_well = asyncio.run(examine(read_settings(), say=typer.echo))
    raise typer.Exit(0 if is_well else 1)


@app.command()
def label(file: File = None) -> None:
    """글의 감정을 읽습니다. · Read the emotion of each line."""
    from bot.backends.embedded import load_emotions

    _each_line(file, batch.label_with(load_emotions()))


@app.command()
def restyle(
    character: Annotated[str, typer.Option(help="말투 · id or name of a character")], file: File = None
) -> None:
    """글을 한 말투로 바꿉니다. · Render each line in a character's manner of speech, by rules."""
    from bot.backends.embedded import load_stylist
    from bot.conversation.characters import first

    stylist, chosen = load_stylist(), _character(character)
    renderer = first(chosen.renderers, stylist.renderers)
    if renderer is None:
        raise Mendable(f"no rule renders {chosen.name}; add one of {', '.join(sorted(stylist.renderers))} to its file")
    _each_line(file, batch.restyle_with(stylist, renderer))


@app.command()
def assess(file: File = None) -> None:
    """글이 위험을 뜻하는지 봅니다. · Assess the risk in each line."""
    _each_line(file, batch.assess_line)


safety = typer.Typer(no_args_is_help=True, help="안전 · What is said and done in danger.")
app.add_typer(safety, name="safety")


@safety.command()
def export() -> None:
    """정해 둔 말과 규칙을 한 문서로 씁니다. · Write every fixed text and rule as one document, for a clinician."""
    from bot.safety.document import document

    typer.echo(document())


characters = typer.Typer(no_args_is_help=True, help="말투 · Characters: who answers, and in which manner of speech.")
app.add_typer(characters, name="character")


@characters.command("list")
def list_characters() -> None:
    """모든 말투를 보여 줍니다. · Say one line a character: id, names, renderer, sample."""
    from bot.models import characters_of

    for each in characters_of(read_settings()).values():
        typer.echo(f"{each.id}\t{each.name} · {each.name_en}\t{each.renderer}\t{each.sample}")


@characters.command("show")
def show_character(name: Annotated[str, typer.Argument(help="말투 · id or name of a character")]) -> None:
    """말투 하나를 자세히 보여 줍니다. · Show all of one character."""
    each = _character(name)
    typer.echo(f"{each.name} · {each.name_en} ({each.id})\n{', '.join(each.aliases)}\n")
    typer.echo(f"{each.renderer}" + (f" (→ {each.softened})" if each.softened != each.renderer else ""))
    typer.echo(f"\n{each.persona}\n\n{each.greeting}\n{each.sample}")
    if words := (*each.decorations.openers, *each.decorations.closers):
        typer.echo(f"\n{' / '.join(word.strip() for word in words)} (≤ {each.decorations.until.name.lower()})")


def _character(name: str) -> Character:
    from bot.conversation.characters import find
    from bot.models import characters_of

    characters = characters_of(read_settings())
    if (found := find(characters, name)) is None:
        raise Mendable(f"no character {name!r}; have {', '.join(characters)}")
    return found


memory = typer.Typer(no_args_is_help=True, help="기억 · What people are remembered by.")
app.add_typer(memory, name="memory")


@memory.command()
def rebuild(
    prune: Annotated[  # noqa: FBT002 - as Typer reads an option
        bool, typer.Option("--prune", help="다른 모델의 벡터는 지웁니다. · Remove the vectors of other encoders.")
    ] = False,
) -> None:
    """기억을 기록에서 다시 만듭니다. · Make the memories anew from the rows."""
    from bot.remember import rebuild as rebuild_all

    asyncio.run(rebuild_all(read_settings(), prune=prune))


def _each_line(file: Path | None, make: Callable[[str], Awaitable[dict[str, object]]]) -> None:
    if file is None:
        asyncio.run(batch.run(make, lines=sys.stdin.buffer, out=sys.stdout.buffer))
        return
    with _opened(file) as lines:
        asyncio.run(batch.run(make, lines=lines, out=sys.stdout.buffer))


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise Mendable(f"cannot read {file}: {error.strerror}") from None


def main() -> None:
    """Run a command. What people can mend is one sentence and exit code 1, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncmy").setLevel(logging.ERROR)  # it warns of every notice that MySQL sends along
    try:
        app()
    except Mendable as error:
        typer.echo(f"mentos: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
