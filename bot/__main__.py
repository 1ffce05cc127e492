"""`python -m bot`, and the `mentos` command."""

from bot.cli import main

if __name__ == "__main__":
    main()
