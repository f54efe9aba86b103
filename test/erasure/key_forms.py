"""Computes the forms of a key that code keeps in memory: SHA-256 states of HMAC, AES key schedules, the hash key of GCM, and
bits, one to a byte.

Terms: HMAC state = the eight words of SHA-256 after the block of the padded key (inner: 0x36, outer: 0x5c), which is all
       that HMAC needs of a key; schedule = the round keys of AES in order, as AES-NI code keeps them; hash key = the
       encrypted zero block, with which GCM multiplies; table = powers of the hash key, which GCM computes once to
       multiply several blocks at a time.
Invariants: check() compares this code with the standard library (HMAC) and with FIPS 197 and SP 800-38D (AES). It need not
            be fast or constant-time.
"""
import functools
import hashlib
import hmac
import struct

MASK = 0xffffffff


def _primes(count):
    found = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _root_bits(number, power):
    """The first 32 bits behind the point of the square (power 2) or cube root of a number below 2^10."""
    low, high = 0, 1 << 42
    wanted = number << 32 * power
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle ** power <= wanted else (low, middle)
    return low & MASK


START = [_root_bits(prime, 2) for prime in _primes(8)]
ROUNDS = [_root_bits(prime, 3) for prime in _primes(64)]


def _right(word, by):
    return (word >> by | word << 32 - by) & MASK


def _compress(state, block):
    """SHA-256 of one block."""
    words = list(struct.unpack(">16I", block))
    for t in range(16, 64):
        low, high = words[t - 15], words[t - 2]
        words.append((words[t - 16] + words[t - 7] + (_right(low, 7) ^ _right(low, 18) ^ low >> 3) +
                      (_right(high, 17) ^ _right(high, 19) ^ high >> 10)) & MASK)
    a, b, c, d, e, f, g, h = state
    for t in range(64):
        first = (h + (_right(e, 6) ^ _right(e, 11) ^ _right(e, 25)) + (e & f ^ ~e & g) + ROUNDS[t] + words[t]) & MASK
        second = (_right(a, 2) ^ _right(a, 13) ^ _right(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (first + second) & MASK, a, b, c, (d + first) & MASK, e, f, g
    return [(x + y) & MASK for x, y in zip(state, (a, b, c, d, e, f, g, h))]


def _padded(key, pad):
    return bytes(byte ^ pad for byte in key.ljust(64, b"\0"))


@functools.lru_cache(maxsize=None)
def hmac_forms(key):
    """(name, bytes): padded blocks, and states as words of both byte orders."""
    forms = []
    for name, pad in (("inner", 0x36), ("outer", 0x5c)):
        block = _padded(key, pad)
        state = _compress(START, block)
        forms += [(f"{name} padded key", block[:len(key)]),
                  (f"{name} HMAC state", struct.pack("<8I", *state)), (f"{name} HMAC state", struct.pack(">8I", *state))]
    return forms


def _double(value):
    return value << 1 ^ (0x11b if value & 0x80 else 0)


def _times(x, y):
    product = 0
    for bit in range(8):
        product ^= x if y >> bit & 1 else 0
        x = _double(x)
    return product


def _sbox_entry(value):
    inverse = next((x for x in range(256) if _times(x, value) == 1), 0)
    mixed = inverse
    for turn in range(1, 5):
        mixed ^= (inverse << turn | inverse >> 8 - turn) & 0xff
    return mixed ^ 0x63


SBOX = [_sbox_entry(value) for value in range(256)]


@functools.lru_cache(maxsize=None)
def aes_schedule(key):
    """The round keys of AES-128 or AES-256, one after the other."""
    words = [key[at:at + 4] for at in range(0, len(key), 4)]
    per_key, constant = len(words), 1
    for i in range(per_key, 4 * (per_key + 7)):
        word = words[-1]
        if i % per_key == 0:
            word = bytes(SBOX[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _double(constant)
        elif per_key == 8 and i % per_key == 4:
            word = bytes(SBOX[byte] for byte in word)
        words.append(bytes(x ^ y for x, y in zip(words[i - per_key], word)))
    return b"".join(words)


def _encrypt(key, block):
    schedule = aes_schedule(key)
    rounds = len(schedule) // 16 - 1
    state = bytes(x ^ y for x, y in zip(block, schedule))
    for number in range(1, rounds + 1):
        # Column c, row r is byte 4 c + r; row r is turned left by r.
        state = bytes(SBOX[state[(4 * (at // 4 + at % 4) + at % 4) % 16]] for at in range(16))
        if number < rounds:
            mixed = []
            for column in range(0, 16, 4):
                a = state[column:column + 4]
                mixed += [_double(a[r]) ^ _double(a[(r + 1) % 4]) ^ a[(r + 1) % 4] ^ a[(r + 2) % 4] ^ a[(r + 3) % 4]
                          for r in range(4)]
            state = bytes(mixed)
        state = bytes(x ^ y for x, y in zip(state, schedule[16 * number:]))
    return state


@functools.lru_cache(maxsize=None)
def hash_key_forms(key):
    """The hash key of GCM in bytes, and in two native words."""
    hash_key = _encrypt(key, bytes(16))
    return [("GCM hash key", hash_key), ("GCM hash key", hash_key[7::-1] + hash_key[:7:-1])]


REDUCTION = 0xe1 << 120  # x^128 = x^7 + x^2 + x + 1, where the first bit of a block is the coefficient of 1


def _times_in_gcm(x, y):
    product, multiple = 0, x
    for bit in range(127, -1, -1):
        product ^= multiple if y >> bit & 1 else 0
        multiple = multiple >> 1 ^ (REDUCTION if multiple & 1 else 0)
    return product


def _divided_by_x(element):
    """The form for code with carry-less multiplication, in which products of two blocks need no shift."""
    divided = element << 1 & (1 << 128) - 1
    return divided ^ (0xc2 << 120 | 1) if element >> 127 else divided


@functools.lru_cache(maxsize=None)
def gcm_table(key):
    """The first four powers of the hash key, each divided by x, as native 16 bytes: what GCM's table begins with."""
    hash_key = int.from_bytes(_encrypt(key, bytes(16)), "big")
    powers = [hash_key]
    while len(powers) < 4:
        powers.append(_times_in_gcm(powers[-1], hash_key))
    return [("GCM table", _divided_by_x(power).to_bytes(16, "little")) for power in powers]


def bits_of(packed):
    """Bit 0 of byte 0 first, one to a byte."""
    return bytes(byte >> bit & 1 for byte in packed for bit in range(8))


def check():
    """What is wrong with the forms, as text."""
    bad = []
    key, message = bytes(range(7, 39)), b"message"
    forms = dict((name, value) for name, value in hmac_forms(key) if name.endswith("state"))
    states = {name: list(struct.unpack(">8I", value)) for name, value in forms.items()}

    def last_block(text):
        return text + b"\x80" + bytes(55 - len(text)) + struct.pack(">Q", 8 * (64 + len(text)))
    inner = struct.pack(">8I", *_compress(states["inner HMAC state"], last_block(message)))
    outer = struct.pack(">8I", *_compress(states["outer HMAC state"], last_block(inner)))
    if outer != hmac.new(key, message, hashlib.sha256).digest():
        bad.append("HMAC states do not give the HMAC")
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")  # FIPS 197, appendix C
    for size, wanted in ((16, "69c4e0d86a7b0430d8cdb78070b4c55a"), (32, "8ea2b7ca516745bfeafc49904b496089")):
        if _encrypt(bytes(range(size)), plain).hex() != wanted:
            bad.append(f"AES-{8 * size} is wrong")
    # SP 800-38D's reference, test case 13.
    if hash_key_forms(bytes(32))[0][1].hex() != "dc95c078a2408989ad48a21492842087":
        bad.append("the hash key of GCM is wrong")
    # The same document, test case 2: one block and the lengths, hashed with powers of the hash key.
    hash_key = int.from_bytes(_encrypt(bytes(16), bytes(16)), "big")
    block, lengths = 0x0388dace60b6a392f328c2b971b2fe78, 128
    square = _times_in_gcm(hash_key, hash_key)
    if _times_in_gcm(block, square) ^ _times_in_gcm(lengths, hash_key) != 0xf38cbb1ad69223dcc3457ae5b6b0f885:
        bad.append("multiplication in GCM's field is wrong")
    return bad
