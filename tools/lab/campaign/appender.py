"""An application beside PostgreSQL: appends a record to one file for each request and fsyncs it.

SERVER runs in a node as a unit of the module; it needs nothing but Python. A request is a line
`CLIENT N`, the answer `N NODE REIGN BEGIN END`: given when the record is durable, by this life of the
server, in this interval of CLOCK_MONOTONIC. After a failed write it ends without an answer: what such
a write left behind nobody knows.

    python3 -m tools.lab.campaign.appender HOST PORT CLIENT FIRST

is a client: one record after the other, numbered from FIRST on, a new connection whenever one ends;
it says what it was told, in the lines of recorder.py. Ends when its standard input does.
"""
import os
import select
import socket
import sys
import time

PORT = 7790
UNIT = "appender.service"
FOLDER = "/data/appender"
FILE = f"{FOLDER}/records"
SIZE = 48

SERVER = f'''
import os, socket, threading, time
SIZE = {SIZE}
NODE = socket.gethostname()
REIGN = "%d-%.3f" % (os.getpid(), time.monotonic())
disk = os.open("{FILE}", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
# a write cut short by the end of a life before was never answered
os.ftruncate(disk, os.fstat(disk).st_size // SIZE * SIZE)
os.fsync(disk)
folder = os.open("{FOLDER}", os.O_RDONLY)
os.fsync(folder)
one_at_a_time = threading.Lock()

def append(client, n):
    with one_at_a_time:
        begin = time.monotonic()
        try:
            record = ("%s %d %s " % (client, n, NODE)).encode().ljust(SIZE - 1, b".") + b"\\n"
            if os.write(disk, record) != SIZE:
                raise OSError("a short write")
            os.fsync(disk)
        except OSError as error:
            print("the file cannot be written: %s" % error, flush=True)
            os._exit(1)
        return "%d %s %s %.6f %.6f\\n" % (n, NODE, REIGN, begin, time.monotonic())

def serve(link):
    with link, link.makefile("r") as requests:
        try:
            for line in requests:
                client, n = line.split()
                link.sendall(append(client, int(n)).encode())
        except OSError:
            pass

door = socket.create_server(("", {PORT}))
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
'''

SERVICE = """[Unit]
Description=Appends numbered records (the lab's campaign)
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/appender.py
[Install]
WantedBy=multi-user.target
"""
CONNECT_S, ANSWER_S, RETRY_S, PAUSE_S = 0.5, 5.0, 0.02, 0.02


def install(node):
    """Puts it on a node as an administrator would his own application."""
    node.put("/usr/local/lib/appender.py", SERVER)
    node.put(f"/etc/systemd/system/{UNIT}", SERVICE)
    node.run(f"mkdir -p {FOLDER}; systemctl daemon-reload")


def counts(text):
    """{(client, n): how often} of the file's content; raises ValueError at a record that is none."""
    found = {}
    for line in text.splitlines(keepends=True):
        words = line.split()
        if len(line) != SIZE or len(words) < 3 or not words[1].isdigit():
            raise ValueError(f"record {sum(found.values()) + 1} is none: {line!r}")
        key = words[0], int(words[1])
        found[key] = found.get(key, 0) + 1
    return found


class Ended(Exception):
    """Our standard input has ended."""


class Client:
    """Writes records until it is told to end."""

    def __init__(self, host, port, name, first):
        self.server = host, port
        self.name, self.number = name, first

    def say(self, *words):
        os.write(1, f"{time.monotonic():.6f} {self.name} {' '.join(map(str, words))}\n".encode())

    def rest(self, seconds):
        if select.select([0], [], [], seconds)[0]:
            raise Ended

    def run(self):
        while True:
            try:
                with socket.create_connection(self.server, timeout=CONNECT_S) as link:
                    link.settimeout(ANSWER_S)
                    self.say("connected")
                    self.write(link)
            except OSError:
                self.rest(RETRY_S)

    def write(self, link):
        with link.makefile("r") as answers:
            while True:
                self.rest(PAUSE_S)
                number, self.number = self.number, self.number + 1
                self.say("begin", number)
                try:
                    link.sendall(f"{self.name} {number}\n".encode())
                    answer = answers.readline()
                except OSError:
                    answer = ""
                if not answer.endswith("\n") or int(answer.split()[0]) != number:
                    self.say("in-doubt", number)
                    return
                self.say("confirmed", answer.strip())


if __name__ == "__main__":
    try:
        Client(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])).run()
    except Ended:
        pass
