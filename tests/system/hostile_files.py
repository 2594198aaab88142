# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Makes media that nobody should have to read: broken, huge, endless, and bombs.

Everything is made from the clip of tests/media and from the formats' own rules, with seeded random
numbers, so that a name says which file it is.
"""

import itertools
import random
import struct
import zlib

from harness import CLIP
from media import run

KINDS = {
    "mp4": ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy"],
    "mkv": ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy"],
    "webm": ["-c:v", "libsvtav1", "-preset", "10", "-an"],
    "ts": ["-c:v", "libx265", "-preset", "ultrafast", "-c:a", "copy"],
    "ivf": ["-c:v", "libsvtav1", "-preset", "10", "-an"],
    "avi": ["-c:v", "mpeg4", "-an"],
    "y4m": ["-pix_fmt", "yuv420p", "-an"],
    "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-an"],
    "hevc": ["-c:v", "libx265", "-preset", "ultrafast", "-an"],
}
HEAD = 600  # bytes in which headers stand


def make_good(folder):
    """A second of the clip, small, in each format."""
    small = folder / "small.y4m"
    run("ffmpeg", "-v", "quiet", "-i", CLIP, "-t", "1", "-vf", "scale=160:90", "-an", small)
    for kind, options in KINDS.items():
        inputs = ["-i", small, "-i", CLIP, "-map", "0:v", "-map", "1:a", "-t", "1"]
        # SVT-AV1 talks on stderr, whatever it is asked.
        run("ffmpeg", "-v", "quiet", *inputs, *options, folder / f"good.{kind}")


def cut(data, seed):
    """In the header, in the middle, and one byte before the end."""
    chance = random.Random(seed)
    places = {1 + seed, chance.randrange(HEAD), chance.randrange(len(data) // 2, len(data)),
              len(data) - 1 - seed}
    for place in sorted(places):
        yield f"cut-at-{place}", data[:place]


def flip(data, seed):
    """A few bits of the header, and some more of what follows."""
    for name, begin, end, count in (("head", 0, min(HEAD, len(data)), 6),
                                    ("payload", HEAD, len(data), 40)):
        chance = random.Random(f"{seed} {name}")
        copy = bytearray(data)
        for _ in range(count):
            copy[chance.randrange(begin, end)] ^= 1 << chance.randrange(8)
        yield f"flipped-{name}-{seed}", bytes(copy)


def broken(folder, seeds):
    for kind in KINDS:
        data = (folder / f"good.{kind}").read_bytes()
        for seed in range(seeds):
            for name, content in itertools.chain(cut(data, seed), flip(data, seed)):
                yield f"{kind}-{name}", content


# EBML, as little of it as bombs need


def size_of(n):
    return struct.pack(">Q", n | 1 << 56)


def element(name, content):
    return bytes.fromhex(name) + size_of(len(content)) + content


def number(name, value):
    return element(name, struct.pack(">Q", value))


def track(n, codec=b"V_VP8", kind=1, width=64, height=64):
    video = element("e0", number("b0", width) + number("ba", height)) if kind == 1 else b""
    return element("ae", number("d7", n) + number("73c5", n) + number("83", kind) +
                   element("86", codec) + video)


def matroska(*parts):
    head = element("1a45dfa3", element("4282", b"matroska") + number("4287", 4) +
                   number("4285", 2))
    info = element("1549a966", number("2ad7b1", 1000000))
    return head + element("18538067", info + b"".join(parts))


def cluster(blocks):
    return element("1f43b675", number("e7", 0) + b"".join(blocks))


def nested(name, depth):
    content = b""
    for _ in range(depth):
        content = element(name, content)
    return content


def mkv_bombs():
    tracks = element("1654ae6b", track(1))
    empty = element("a3", b"\x81\x00\x00\x80")
    one = element("a3", b"\x81\x00\x00\x80\x00")
    end = cluster([one] * 9)
    yield "mkv-empty-packets", matroska(tracks, cluster([empty] * 300000))
    yield "mkv-pictureless", matroska(tracks, cluster([one] * 30000))
    subtitle = element("a3", b"\x82\x00\x00\x80" + b"x" * 40)
    both = element("1654ae6b", track(1) + track(2, b"S_TEXT/UTF8", 17))
    yield "mkv-subtitles", matroska(both, cluster([subtitle] * 1100000))
    yield "mkv-tracks", matroska(element("1654ae6b", b"".join(map(track, range(1, 5001)))), end)
    chapters = element("1043a770", element("45b9", nested("b6", 20000)))
    yield "mkv-nested", matroska(chapters, tracks, end)
    tag = element("67c8", element("45a3", b"TITLE") + element("4487", b"A" * (48 << 20)))
    yield "mkv-metadata", matroska(element("1254c367", element("7373", tag)), tracks, end)
    name = element("466e", b"font.ttf") + element("4660", b"font/ttf") + number("46ae", 9)
    file = element("61a7", name + element("465c", bytes(200 << 20)))
    yield "mkv-attachment", matroska(element("1941a469", file), tracks, end)
    yield "mkv-huge", matroska(element("1654ae6b", track(1, width=16384, height=16384)),
                               cluster([element("a3", b"\x81\x00\x00\x80" + b"\x10" * 99)]))
    yield "mkv-element-of-exabytes", matroska()[:-8] + b"\x1f\x43\xb6\x75" + size_of(1 << 55)


# Pictures


def png(width, height):
    """Black, one bit a pixel."""
    def chunk(name, content):
        return (struct.pack(">I", len(content)) + name + content +
                struct.pack(">I", zlib.crc32(name + content)))
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row * 64) for _ in range(height // 64)) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0,
                                                                0)) +
            chunk(b"IDAT", packed) + chunk(b"IEND", b""))


class Bits:
    """Bits of a parameter set, as H.264 writes them."""

    def __init__(self):
        self.text = ""

    def put(self, value, bits):
        self.text += f"{value:0{bits}b}"
        return self

    def golomb(self, *values):
        for value in values:
            word = f"{value + 1:b}"
            self.text += "0" * (len(word) - 1) + word
        return self

    def nal(self, kind):
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        payload = int(text, 2).to_bytes(len(text) // 8, "big")
        for low in range(4):  # emulation prevention
            payload = payload.replace(bytes([0, 0, low]), bytes([0, 0, 3, low]))
        return b"\0\0\0\1" + bytes([kind]) + payload


def h264_of_skips(width, height, pictures):
    """An IDR picture without a macroblock that could be decoded, then pictures of skips."""
    blocks = width // 16 * (height // 16)
    sps = Bits().put(66, 8).put(0, 8).put(62, 8)
    sps.golomb(0, 0, 0, 0, 16).put(0, 1).golomb(width // 16 - 1, height // 16 - 1).put(0b11000, 5)
    out = sps.nal(0x67) + Bits().golomb(0, 0).put(0, 2).golomb(0, 0, 0).put(0, 3).golomb(
        0, 0, 0).put(0, 3).nal(0x68)
    out += Bits().golomb(0, 7, 0).put(0, 4).golomb(0, 0).put(0, 2).golomb(0).nal(0x65)
    for n in range(1, pictures + 1):
        skips = Bits().golomb(0, 5, 0).put(n % 16, 4).golomb(2 * n % 16).put(0, 3).golomb(0, blocks)
        out += skips.nal(0x41)
    return out


def patched(data, old, new):
    assert old in data
    return data.replace(old, new)


def huge(folder):
    yield "y4m-65536x65536", b"YUV4MPEG2 W65536 H65536 F25:1\nFRAME\n" + bytes(1000)
    yield "y4m-8192x8192-and-nothing", b"YUV4MPEG2 W8192 H8192 F25:1\nFRAME\n" + bytes(1000)
    yield "png-30000x29952", png(30000, 29952)
    yield "png-8192x8192", png(8192, 8192)
    yield "h264-16384x16384", h264_of_skips(16384, 16384, 4)
    yield "h264-8192x4096-skips", h264_of_skips(8192, 4096, 60)
    small = (folder / "good.h264").read_bytes()
    yield "h264-changes-its-size", small + h264_of_skips(8192, 4096, 8)
    size = struct.pack(">HH", 160, 90) + b"\0\x48\0\0"
    mp4 = (folder / "good.mp4").read_bytes()
    yield "mp4-16384x16384", patched(mp4, size, struct.pack(">HH", 16384, 16384) + b"\0\x48\0\0")
    at = mp4.index(b"stsz")
    yield "mp4-4-billion-samples", mp4[:at + 8] + struct.pack(">II", 1, 2**32 - 1) + mp4[at + 16:]


def references(target, address):
    """Files that name others: a file that exists, and a server that listens."""
    yield "concat", f"ffconcat version 1.0\nfile '{target}'\nfile 'http://{address}/a'\n".encode()
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n"
    yield "hls-file", f"{head}#EXTINF:5,\nfile://{target}\n#EXT-X-ENDLIST\n".encode()
    yield "hls-http", f"{head}#EXTINF:5,\nhttp://{address}/a.ts\n#EXT-X-ENDLIST\n".encode()
    yield "dash", (f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
                   f"<Period><AdaptationSet><Representation><BaseURL>http://{address}/a.mp4"
                   "</BaseURL></Representation></AdaptationSet></Period></MPD>").encode()
    yield "sdp", (f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                  f"m=video {address.split(':')[1]} RTP/AVP 96\na=rtpmap:96 H264/90000\n").encode()
    yield "svg", (f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">'
                  f'<image href="http://{address}/a.png" width="9" height="9"/></svg>').encode()


def subtitles():
    yield "srt", b"".join(b"%d\n00:00:00,000 --> 00:00:01,000\nx\n\n" % n for n in range(50000))


def endless(name):
    """Pieces of a stream that has no end."""
    if name == "zeros":
        return itertools.repeat(bytes(1 << 20))
    if name == "noise":
        return (random.Random(n).randbytes(1 << 18) for n in itertools.count())
    if name == "ts-stuffing":
        return itertools.repeat((b"\x47\x1f\xff\x10" + b"\xff" * 184) * 5000)
    if name == "h264-without-pictures":
        sps = h264_of_skips(64, 64, 0)
        return itertools.repeat(sps[:sps.rindex(b"\0\0\0\1")] * 5000)
    raise ValueError(name)


ENDLESS = ("zeros", "noise", "ts-stuffing", "h264-without-pictures")
