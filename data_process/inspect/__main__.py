"""The data doctor by its former name."""

from data_process.doctor.__main__ import main, run

if __name__ == "__main__":
    run(main)
