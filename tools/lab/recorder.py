"""A recording client: writes numbered rows through a virtual IP and keeps book of every answer.

Runs in a client's network namespace. Several writers insert single rows (client, n), each its own
transaction; one prober opens a new connection again and again. Each event is a line

    SECONDS CLIENT WORD [N]      SECONDS of CLOCK_MONOTONIC, the same clock as the nodes' journals

with the words `connected`, `begin N`, `confirmed N` (the commit was answered), `refused N` (the
server said no: the row does not exist), `in-doubt N` (sent, and no answer came: it may or may not
exist), `lost` (the connection ended), and of the client `probe`: `alive`, `dead`. A number is never
used again, so afterwards each confirmed row must be there exactly once, and each row that is there
must be confirmed or in doubt. Ends when its standard input does.

With --who a confirmation names who gave it and when: `confirmed N NODE REIGN BEGIN END`, REIGN being
one life of the server, the interval that from the sending to the answer.
"""
import argparse
import os
import sys
import threading
import time

from .pgwire import Connection, Refused

RETRY_S = 0.02
TABLE = "hamirror_record"
WHO_SQL = ("SELECT trim(E' \n' from pg_read_file('/proc/sys/kernel/hostname')),"
           " extract(epoch from pg_postmaster_start_time())")


class Recorder:
    """All writers and the prober of one run."""

    def __init__(self, options):
        self.options = options
        self.ending = threading.Event()

    def say(self, client, *words):
        line = f"{time.monotonic():.6f} {client} {' '.join(str(word) for word in words)}\n"
        os.write(1, line.encode())      # one write a line, so that lines of threads never mix

    def connect(self, connect_s, answer_s):
        o = self.options
        return Connection(o.host, o.port, o.user, o.database, connect_s, answer_s)

    def write(self, client):
        number, connection = 0, None
        while not self.ending.is_set():
            if connection is None:
                connection = self.reconnect(client)
                continue
            number += 1
            if not self.insert(connection, client, number):
                connection.close()
                connection = None
                self.say(client, "lost")
            if self.options.pause_ms:
                self.ending.wait(self.options.pause_ms / 1000)

    def reconnect(self, client):
        try:
            connection = self.connect(self.options.connect_s, self.options.answer_s)
        except (OSError, Refused):
            self.ending.wait(RETRY_S)
            return None
        if not self.identify(connection):
            return None
        self.say(client, "connected")
        return connection

    def identify(self, connection):
        """Notes on the connection who its server is; false if that cannot be had."""
        connection.who = ()
        if self.options.who:
            try:
                connection.who = tuple(connection.query(WHO_SQL)[0])
            except (OSError, Refused):
                connection.close()
                return False
        return True

    def insert(self, connection, client, number):
        """One transaction; false if the connection is no use any more."""
        begin = time.monotonic()
        self.say(client, "begin", number)
        try:
            connection.query(f"INSERT INTO {TABLE} VALUES ({client}, {number})")
        except Refused as refused:
            # a session killed in the middle does not know whether its commit had passed
            self.say(client, "in-doubt" if refused.fatal else "refused", number)
            return not refused.fatal
        except OSError:
            self.say(client, "in-doubt", number)
            return False
        told = (*connection.who, f"{begin:.6f}", f"{time.monotonic():.6f}") if connection.who else ()
        self.say(client, "confirmed", number, *told)
        return True

    def probe(self):
        while not self.ending.is_set():
            try:
                connection = self.connect(self.options.probe_s, self.options.probe_s)
                connection.query("SELECT 1")
                connection.close()
                self.say("probe", "alive")
            except (OSError, Refused):
                self.say("probe", "dead")
            self.ending.wait(RETRY_S)

    def run(self):
        first = self.options.first
        threads = [threading.Thread(target=self.write, args=(number,), daemon=True)
                   for number in range(first, first + self.options.clients)]
        if self.options.probe_s:
            threads.append(threading.Thread(target=self.probe, daemon=True))
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self.ending.set()
        for thread in threads:
            thread.join(self.options.answer_s + 2)


def main():
    parser = argparse.ArgumentParser(description="record what a PostgreSQL server confirms")
    parser.add_argument("host")
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--user", default="recorder")
    parser.add_argument("--database", default="postgres")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--first", type=int, default=1, help="the first client's number")
    parser.add_argument("--pause-ms", type=float, default=5, help="between two rows of a client")
    parser.add_argument("--connect-s", type=float, default=0.5)
    parser.add_argument("--answer-s", type=float, default=5, help="then a row is in doubt")
    parser.add_argument("--probe-s", type=float, default=0.3, help="0: no prober")
    parser.add_argument("--who", type=int, default=0, help="1: say which server confirmed")
    Recorder(parser.parse_args()).run()


if __name__ == "__main__":
    main()
