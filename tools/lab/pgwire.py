"""As much of PostgreSQL's protocol (version 3) as a recording client needs, and no library.

One plain query at a time, answers as text, every wait bounded. The server has to trust the lab's
network. What matters here is to tell three ends of a query apart: the server answered, the server
refused (Refused), or the connection broke and nobody knows (OSError).
"""
import socket
import struct

PROTOCOL = 196608


class Refused(Exception):
    """An ErrorResponse. `fatal` if the server ends the connection with it."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('S')} {fields.get('C')} {fields.get('M')}")
        self.code = fields.get("C", "")
        self.fatal = fields.get("V", fields.get("S")) in ("FATAL", "PANIC")


class Connection:
    """One connection; after an OSError or a fatal Refused only close() makes sense."""

    def __init__(self, host, port, user, database, connect_s, answer_s):
        self.link = socket.create_connection((host, port), timeout=connect_s)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.link.settimeout(answer_s)
        self.received = b""
        try:
            self.start(user, database)
        except BaseException:
            self.link.close()
            raise

    def close(self):
        self.link.close()

    def start(self, user, database):
        words = b"".join(word.encode() + b"\0" for word in (
            "user", user, "database", database, "application_name", "hamirror-recorder"))
        body = struct.pack("!I", PROTOCOL) + words + b"\0"
        self.link.sendall(struct.pack("!I", len(body) + 4) + body)
        for kind, content in self.messages():
            if kind == b"R" and content[:4] != b"\0\0\0\0":
                raise OSError("the server asks for a password; it has to trust the lab's network")

    def query(self, text):
        """The rows of the answer, as lists of strings (None for null)."""
        body = text.encode() + b"\0"
        self.link.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        return [row(content) for kind, content in self.messages() if kind == b"D"]

    def messages(self):
        """All messages up to ReadyForQuery; raises the error if there was one."""
        refused = None
        while True:
            try:
                kind, content = self.message()
            except OSError:
                if refused:             # the server closed after saying why
                    raise refused from None
                raise
            if kind == b"E":
                refused = Refused(error_fields(content))
                if refused.fatal:
                    raise refused
            elif kind == b"Z":
                if refused:
                    raise refused
                return
            else:
                yield kind, content

    def message(self):
        kind, length = struct.unpack("!cI", self.take(5))
        return kind, self.take(length - 4)

    def take(self, size):
        while len(self.received) < size:
            more = self.link.recv(65536)
            if not more:
                raise ConnectionResetError("the server closed the connection")
            self.received += more
        taken, self.received = self.received[:size], self.received[size:]
        return taken


def error_fields(content):
    return {field[:1].decode(): field[1:].decode("utf-8", "replace")
            for field in content.split(b"\0") if field}


def row(content):
    count, at, values = struct.unpack_from("!H", content)[0], 2, []
    for _ in range(count):
        size = struct.unpack_from("!i", content, at)[0]
        at += 4
        values.append(None if size < 0 else content[at:at + size].decode("utf-8", "replace"))
        at += max(size, 0)
    return values
