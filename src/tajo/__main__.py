"""The console script `tajo`, also `python -m tajo`."""

import sys


def main() -> None:
    """Run the command line; whoever stops it while it loads hears the same as later."""
    try:
        from tajo.cli import run  # noqa: PLC0415 - loading it takes a second, in which somebody may stop it

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        print("Stopped. Nothing is lost: the next sync goes on where this one was.", file=sys.stderr)
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
