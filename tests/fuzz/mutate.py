"""Ways to damage bytes, chosen by a random generator. Each returns other bytes, mostly."""

import numpy as np

NASTY_TEXT = (
    b"-1", b"0", b"1e9", b"99999999", b"-99999999", b"NaN", b"inf", b"-inf", b"1e-300", b"1e308",
    b"--5", b"0x10", b"", b" ", b"\xc2\xb2", b"\xff\xfe", b"\xe7\x9d\xa1", b"../../x", b"0.1",
)  # fmt: skip
NASTY_NUMBERS = (0, 1, 2, 5, 127, 128, 255, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1)
NASTY_FLOATS = (0.0, -1.0, 1e-300, 1e9, 3e16, 1e300, float("nan"), float("inf"), -float("inf"))


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` after one to three random injuries."""
    for _ in range(int(rng.integers(1, 4))):
        data = INJURIES[int(rng.integers(len(INJURIES)))](data, rng)
    return data


def _place(data: bytes, rng: np.random.Generator) -> int:
    # headers are short and matter: half of all injuries hit the first kilobyte
    end = min(len(data), 1024) if rng.random() < 0.5 else len(data)
    return int(rng.integers(end)) if end else 0


def _stretch(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    first = _place(data, rng)
    return first, min(len(data), first + int(2 ** rng.uniform(0, 12)))


def flip_bit(data: bytes, rng: np.random.Generator) -> bytes:
    if not data:
        return data
    place = _place(data, rng)
    return data[:place] + bytes([data[place] ^ (1 << int(rng.integers(8)))]) + data[place + 1 :]


def set_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = _stretch(data, rng)
    value = int(rng.choice([0, 0x20, 0x14, 0x30, 0xFF, int(rng.integers(256))]))
    return data[:first] + bytes([value]) * (last - first) + data[last:]


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def insert(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.bytes(int(2 ** rng.uniform(0, 8))) + data[place:]


def duplicate(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = _stretch(data, rng)
    return data[:last] + data[first:last] + data[last:]


def remove(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = _stretch(data, rng)
    return data[:first] + data[last:]


def swap(data: bytes, rng: np.random.Generator) -> bytes:
    """Two stretches of one length change places: fields too, where the length is theirs."""
    length = int(rng.choice([1, 4, 8, 16, 80]))
    one, two = sorted(_place(data, rng) for _ in range(2))
    if two - one < length or two + length > len(data):
        return flip_bit(data, rng)
    a, b = data[one : one + length], data[two : two + length]
    return data[:one] + b + data[one + length : two] + a + data[two + length :]


def number(data: bytes, rng: np.random.Generator) -> bytes:
    """A nasty integer or float, little endian, over whatever is there."""
    if rng.random() < 0.5:
        new = int(rng.choice(NASTY_NUMBERS)).to_bytes(4, "little")[: int(rng.choice([1, 2, 4]))]
    else:
        with np.errstate(over="ignore"):
            new = rng.choice(NASTY_FLOATS).astype(rng.choice(["<f4", "<f8"])).tobytes()
    place = _place(data, rng)
    return (data[:place] + new + data[place + len(new) :])[: max(len(data), 1)]


INJURIES = (flip_bit, flip_bit, set_bytes, cut, insert, duplicate, remove, swap, number)


def nasty_text(rng: np.random.Generator, width: int | None = None) -> bytes:
    """A text that number fields should not hold, padded with blanks to `width`."""
    text = NASTY_TEXT[int(rng.integers(len(NASTY_TEXT)))]
    return text if width is None else text[:width].ljust(width)
