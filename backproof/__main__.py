"""python -m backproof."""

from backproof.doors.command_line import main

if __name__ == "__main__":
    main()
