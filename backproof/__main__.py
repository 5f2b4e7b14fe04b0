"""python -m backproof."""

from backproof.command_line import main

if __name__ == "__main__":
    main()
