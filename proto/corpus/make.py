"""Makes the files of this corpus that were thought out, not found, beside itself.

Written by hand from the .proto files, so that it does not share the mistakes of the crate.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent
FORMAT = 2


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def num(field, n):
    return varint(field << 3) + varint(n)


def fix(field, n):
    return varint(field << 3 | 1) + struct.pack("<Q", n)


def sub(field, *parts):
    body = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def stored(body):
    return bytes([FORMAT]) + struct.pack("<I", crc32c(body)) + body


U64 = (1 << 64) - 1
RID = bytes(range(16))


def dot(node=1, incarnation=1, counter=1, life=1):
    return fix(1, node) + num(2, incarnation) + num(3, counter) + num(4, life)


def entry(d, stamp=5):
    return sub(1, d) + num(2, stamp)


def version(d, request=RID, value=b"v"):
    return sub(1, d) + sub(2, request) + num(3, 7) + (b"" if value is None else sub(4, value))


def versions(seen=(), siblings=(), past=()):
    return b"".join(
        [sub(1, e) for e in seen] + [sub(2, s) for s in siblings] + [sub(3, p) for p in past]
    )


def past(n, request=None):
    return sub(1, request or bytes([n] * 16)) + num(2, n)


GOOD = versions([entry(dot())], [version(dot())], [past(3)])
GRAVE = versions([entry(dot())], [version(dot(), value=None)])


def record(v, life=1):
    return sub(1, v) + num(2, life)


def seat(node, weight=1, zone=b""):
    return fix(1, node) + sub(2, zone) + num(3, weight)


def ring(epoch=1, op=b"op", factor=2, seats=None, owners=bytes([0, 1, 0, 1]), seal=bytes(16)):
    seats = [seat(1), seat(2)] if seats is None else seats
    head = num(1, epoch) + sub(2, op) + num(3, factor)
    return head + b"".join(sub(4, s) for s in seats) + sub(5, owners) + sub(6, seal)


def identity(cluster=bytes([3] * 16), boot=b"0d8b"):
    head = sub(1, cluster) + fix(2, 5) + num(3, 1) + num(4, 2)
    return head + num(5, 65536) + sub(6, boot) + num(7, 1)


KEY = sub(1, b"k") + sub(2, b"s")


def request(operation, key=KEY, number=1):
    return sub(1, num(1, number), sub(2, key), operation)


READ = sub(3)


def reap(step, graves=(), epoch=1):
    return sub(8, num(1, 1), num(2, step), num(3, epoch), fix(4, 9), *[sub(5, g) for g in graves])


FILES = {
    "message": {
        "refused-empty": b"",
        "refused-one-zero": b"\0",
        "refused-unknown-content": sub(99, b"x"),
        "refused-group": b"\x0b\x0b\x0b\x0b\x0c",
        "refused-varint-of-eleven-bytes": b"\x0a\x0b\x08" + b"\xff" * 10,
        "refused-length-over-the-end": b"\x0a\x7fabc",
        "refused-length-of-four-gigabytes": b"\x0a" + varint((1 << 32) - 1) + b"abc",
        "refused-length-of-all-there-is": b"\x0a" + varint(U64) + b"abc",
        "refused-nested-length-over-its-own": b"\x0a\x04\x08\x01\x12\x7f",
        "refused-deep-groups": b"\x0b" * 4096,
        "read-a-read": request(READ),
        "read-a-read-in-the-place-of-another": request(READ + fix(5, 7)),
        "read-unknown-field-beside-known": request(READ + num(77, 1)),
        "read-last-of-two-operations-counts": request(READ + sub(4, sub(1, GOOD))),
        "read-a-merge": request(sub(4, sub(1, GOOD), num(2, 1))),
        "read-a-merge-of-nothing": request(sub(4, sub(1))),
        "refused-merge-without-versions": request(sub(4)),
        "refused-request-without-operation": request(b""),
        "refused-key-without-partition": request(READ, key=sub(2, b"s")),
        "refused-no-key": sub(1, num(1, 1), READ),
        "refused-key-is-a-number": sub(1, num(2, 5), READ),
        "read-last-number-of-all": request(READ, number=U64),
        "refused-number-of-seventy-bits": b"\x0a\x0b\x08" + b"\xff" * 9 + b"\x7f",
        "refused-truncated-merge": request(sub(4, sub(1, GOOD)))[:-3],
        "read-roots": sub(6, num(1, 1), sub(2, sub(1, bytes([0, 1, 2])), num(2, 8))),
        "refused-partition-of-17-bits": sub(6, num(1, 1), sub(2, sub(1, varint(1 << 16)))),
        "read-senseless-number-of-partitions": sub(6, sub(2, sub(1, b"\0"), num(2, (1 << 32) - 1))),
        "refused-tree-request-for-nothing": sub(6, num(1, 1)),
        "refused-fifteen-children": sub(7, num(1, 1), sub(3, sub(1, bytes(8 * 15)))),
        "refused-hashes-of-seven-bytes": sub(7, num(1, 1), sub(2, sub(1, bytes(7)))),
        "read-page-of-no-keys-and-more": sub(7, num(1, 1), sub(4, num(2, 1))),
        "read-pledge": reap(1, [sub(1, KEY) + sub(2, GRAVE)]),
        "refused-step-of-no-name": reap(0),
        "refused-step-of-the-future": reap(9),
        "refused-negative-step": sub(8, num(1, 1), num(2, U64)),
        "refused-grave-without-versions": reap(1, [sub(1, KEY)]),
        "read-pledge-for-thousands": reap(1, [sub(1, KEY) + sub(2, GRAVE)] * 2000),
        "refused-text-that-is-no-utf8": sub(
            5, sub(1, sub(1, sub(1, fix(1, 2), sub(2, b"\xff\xfe"))))
        ),
        "refused-gossip-of-no-stage": sub(5, num(4, 1)),
        "refused-columns-of-different-length": sub(
            5, sub(2, sub(1, sub(1, bytes(16)), sub(2, b"\1")))
        ),
    },
    "held": {
        "refused-empty": b"",
        "refused-format-only": bytes([FORMAT]),
        "refused-half-a-checksum": bytes([FORMAT, 1, 2]),
        "refused-nothing-behind-the-checksum": stored(b""),
        "refused-format-1": b"\1" + stored(record(GOOD))[1:],
        "refused-format-of-the-future": b"\3" + stored(record(GOOD))[1:],
        "refused-bad-checksum": bytes([FORMAT]) + bytes(4) + record(GOOD),
        "refused-zeros": bytes(64),
        "refused-ones": b"\xff" * 64,
        "read-a-version": stored(record(GOOD)),
        "read-a-grave": stored(record(GRAVE)),
        "read-nothing-held": stored(record(b"", 0)),
        "read-greatest-life-and-counter": stored(
            record(
                versions([entry(dot(counter=U64, life=U64), U64)], [version(dot(counter=U64, life=U64))]),
                U64,
            )
        ),
        "refused-truncated-behind-a-true-checksum": stored(record(GOOD)[:-6]),
        "refused-counter-0": stored(record(versions([entry(dot(counter=0))]))),
        "refused-sibling-not-covered": stored(record(versions([], [version(dot())]))),
        "refused-actor-twice": stored(record(versions([entry(dot()), entry(dot(counter=2))]))),
        "refused-actors-out-of-order": stored(
            record(versions([entry(dot(node=2)), entry(dot(node=1))]))
        ),
        "refused-siblings-out-of-order": stored(
            record(
                versions(
                    [entry(dot(counter=2))],
                    [version(dot(counter=2), bytes(16)), version(dot(counter=1))],
                )
            )
        ),
        "refused-one-request-twice": stored(
            record(versions([entry(dot(counter=2))], [version(dot()), version(dot(counter=2))]))
        ),
        "refused-request-both-past-and-present": stored(
            record(versions([entry(dot())], [version(dot())], [past(1, RID)]))
        ),
        "refused-request-id-of-15-bytes": stored(
            record(versions([entry(dot())], [version(dot(), RID[:15])]))
        ),
        "refused-nine-past-requests": stored(
            record(versions([entry(dot())], [], [past(n) for n in range(1, 10)]))
        ),
    },
    "ring": {
        "read-two-members": stored(ring()),
        "refused-epoch-0": stored(ring(epoch=0)),
        "refused-three-partitions": stored(ring(owners=bytes([0, 1, 0]))),
        "refused-no-partitions": stored(ring(owners=b"")),
        "refused-owner-of-no-seat": stored(ring(owners=bytes([0, 1, 0, 2]))),
        "refused-owner-of-32-bits": stored(ring(owners=bytes([0, 1, 0]) + varint((1 << 32) - 1))),
        "refused-no-members": stored(ring(seats=[])),
        "refused-seats-out-of-order": stored(ring(seats=[seat(2), seat(1)])),
        "refused-member-twice": stored(ring(seats=[seat(1), seat(1)])),
        "refused-weight-0": stored(ring(seats=[seat(1), seat(2, weight=0)])),
        "refused-greatest-weight": stored(ring(seats=[seat(1), seat(2, weight=(1 << 32) - 1)])),
        "refused-factor-over-members": stored(ring(factor=3)),
        "refused-factor-0": stored(ring(factor=0)),
        "refused-seal-of-15-bytes": stored(ring(seal=bytes(15))),
        "refused-long-operation": stored(ring(op=b"x" * 65)),
        "refused-long-zone": stored(ring(seats=[seat(1), seat(2, zone=b"z" * 64)])),
        "read-last-epoch-of-all": stored(ring(epoch=U64)),
    },
    "identity": {
        "read-clean": stored(identity()),
        "refused-cluster-of-15-bytes": stored(identity(cluster=bytes(15))),
        "refused-long-boot-id": stored(identity(boot=b"x" * 65)),
        "refused-boot-id-that-is-no-utf8": stored(identity(boot=b"\xff")),
        "refused-bad-checksum": stored(identity())[:-1] + b"\0",
        "refused-empty": b"",
    },
}

for kind, files in FILES.items():
    (HERE / kind).mkdir(exist_ok=True)
    for name, content in files.items():
        (HERE / kind / name).write_bytes(content)
