"""python -m backproof."""

from backproof.doors.entry import main

if __name__ == "__main__":
    main()
