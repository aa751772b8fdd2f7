"""How long one call takes, as a line of JSON."""

import argparse
import json
import time


def arguments(**defaults):
    parser = argparse.ArgumentParser()
    for name, default in dict(seconds=4.0, threads=2, device="cpu", **defaults).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def report(name, call, seconds, warm_up=5, least=5, per=1, device="cpu"):
    """Calls until the seconds are over, at least `least` times; a call is worth `per` units.

    A graphics card takes its calls while the next are asked of it: 25 are timed together, until all are done.
    """
    together, settle = (1, lambda: None) if device == "cpu" else (25, settled(device))
    for _ in range(warm_up * together):
        call()
    settle()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds or len(times) < least:
        started = time.perf_counter()
        for _ in range(together):
            call()
        settle()
        times.append((time.perf_counter() - started) * 1e3 / per / together)
    times.sort()
    at = lambda share: round(times[min(len(times) - 1, int(share * len(times)))], 5)
    print(json.dumps({"name": name, "tenth": at(0.1), "median": at(0.5), "ninetieth": at(0.9), "count": len(times)}))


def settled(device):
    """A call that returns when the card has done everything."""
    import torch

    return getattr(torch, device).synchronize
