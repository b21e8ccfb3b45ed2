"""`python -m pipeline` is `alexnet`, also where that is not installed."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
