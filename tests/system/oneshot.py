# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""One-shot requests: two fds and a method call, from a client without any library of ours."""

import array
import json
import os
import socket

import jsonschema

from harness import LIMIT, SCHEMA, ask, main, until
from media import MediaTest, count_decoded, packet_hashes, similarity


class Call:
    """One varlink call on a connection of its own."""

    def __init__(self, path, method, parameters, fds=(), more=False):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT * 2)
        self.socket.connect(str(path))
        call = {"method": f"io.vencd.Encoder.{method}", "parameters": parameters, "more": more}
        self.socket.sendmsg([json.dumps(call).encode() + b"\0"],
                            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        self.unread = b""

    def reply(self):
        while b"\0" not in self.unread:
            received = self.socket.recv(1 << 16)
            assert received, "the front closed the connection"
            self.unread += received
        text, self.unread = self.unread.split(b"\0", 1)
        return json.loads(text)

    def last(self):
        while True:
            reply = self.reply()
            if not reply.get("continues"):
                self.socket.close()
                return reply


class OneShot(MediaTest):

    def setUp(self):
        _, self.socket = self.socket_options()

    def call(self, source, output, more=False, **parameters):
        return Call(self.socket, "Encode", {"input": 0, "output": 1, **parameters},
                    [source, output], more)

    def files(self, source, name, **parameters):
        output = self.path / name
        with open(source, "rb") as read, open(output, "wb") as write:
            reply = self.call(read.fileno(), write.fileno(), **parameters).last()
        return reply, output

    def check_complete(self, reply, frames=72):
        self.assertNotIn("error", reply)
        result = reply["parameters"]
        self.assertEqual(result["outcome"], "complete", result)
        jsonschema.validate(result["report"], SCHEMA)
        self.assertEqual(result["delivery"]["frames"], frames)
        return result

    def test_files(self):
        for container, codec in (("mkv", "av1"), ("mp4", "h264"), ("ts", "hevc")):
            with self.subTest(container):
                reply, output = self.files(self.clip, f"once.{container}", container=container,
                                           codecs=[codec], speed=12)
                result = self.check_complete(reply)
                self.assertEqual(result["delivery"]["bytes"], output.stat().st_size)
                self.assertEqual(count_decoded(output), 72)
                self.assertGreater(similarity(output, self.clip), 0.9)
                if container != "ts":
                    self.assertEqual(packet_hashes(output, "a"), packet_hashes(self.clip, "a"))

    def test_pipes_and_progress(self):
        source, feed = os.pipe()
        drain, output = os.pipe()
        frame = b"FRAME\n" + bytes(64 * 64 * 3 // 2)
        call = self.call(source, output, more=True, container="mkv", codecs=["h264"],
                         inputFormat="y4m", latency="live")
        os.close(source)
        os.close(output)
        os.write(feed, b"YUV4MPEG2 W64 H64 F25:1\n" + 3 * frame)
        reply = call.reply()
        self.assertTrue(reply["continues"])
        self.assertIn("framesEncoded", reply["parameters"]["progress"])
        os.write(feed, 3 * frame)
        os.close(feed)
        written = bytearray()
        while piece := os.read(drain, 1 << 16):
            written += piece
        os.close(drain)
        self.check_complete(call.last(), 6)
        path = self.path / "piped.mkv"
        path.write_bytes(written)
        self.assertEqual(count_decoded(path), 6)

    def test_bad_input(self):
        hostile = self.path / "hostile.m3u8"
        hostile.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{self.clip}\n"
                           "#EXT-X-ENDLIST\n")
        for source, word in ((hostile, "cannot be read"), (os.devnull, "cannot be read")):
            with self.subTest(source):
                reply, _ = self.files(source, "bad.mkv", container="mkv")
                result = reply["parameters"]
                self.assertEqual(result["outcome"], "failed")
                self.assertEqual(result["delivery"]["error"], "input_failed")
                self.assertIn(word, result["delivery"]["text"])

    def test_full_output(self):
        with open(self.clip, "rb") as read, open("/dev/full", "wb") as write:
            reply = self.call(read.fileno(), write.fileno(), container="mkv", speed=12).last()
        result = reply["parameters"]
        self.assertEqual(result["outcome"], "failed")
        self.assertEqual(result["delivery"]["error"], "output_failed")
        self.assertIn("No space left on device", result["delivery"]["text"])

    def test_refused(self):
        reply, _ = self.files(self.clip, "refused.webm", container="webm", codecs=["h264"])
        self.assertIn("webm takes none of the codecs", json.dumps(reply))

    def test_the_client_goes(self):
        """An input that stalls for ever, and a client that dies: nothing is left."""
        source, feed = os.pipe()
        frame = b"FRAME\n" + bytes(64 * 64 * 3 // 2)
        with open(self.path / "gone.mkv", "wb") as write:
            call = self.call(source, write.fileno(), container="mkv", inputFormat="y4m")
        os.close(source)
        os.write(feed, b"YUV4MPEG2 W64 H64 F25:1\n" + 2 * frame)
        def sessions():
            return ask(self.socket, "ListSessions")["sessions"]

        until(sessions, "a session is open")
        call.socket.close()
        until(lambda: not sessions(), "the session has ended")
        until(lambda: self.closed(feed), "the adapter has let go of the input")
        os.close(feed)

    def closed(self, feed):
        try:
            os.write(feed, b"x")
        except BrokenPipeError:
            return True
        return False


if __name__ == "__main__":
    main()
