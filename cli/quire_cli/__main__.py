"""`python -m quire_cli`."""

from quire_cli.main import main

if __name__ == "__main__":
    main()
