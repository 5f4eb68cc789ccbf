"""Pings an address many times a second and says when it answers: an outage meter for an address.

    SECONDS ping alive N        (the reply to request N has come)

Runs in a client's network namespace until its standard input ends.
"""
import os
import select
import socket
import struct
import sys
import time

ECHO_REQUEST, ECHO_REPLY = 8, 0


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def request(ident, number):
    head = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, ident, number & 0xffff)
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, checksum(head), ident, number & 0xffff)


def main(address, every_s):
    ident, number, due = os.getpid() & 0xffff, 0, time.monotonic()
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    while True:
        if time.monotonic() >= due:
            number, due = number + 1, time.monotonic() + every_s
            try:
                link.sendto(request(ident, number), (address, 0))
            except OSError:         # no answer to ARP, no route: an unanswered request
                pass
        readable = select.select([link, 0], [], [], max(0, due - time.monotonic()))[0]
        if 0 in readable:
            return
        if link in readable:
            packet, (sender, _) = link.recvfrom(2048)
            kind, _, _, whose, answered = struct.unpack_from("!BBHHH", packet, (packet[0] & 15) * 4)
            if (kind, whose, sender) == (ECHO_REPLY, ident, address):
                os.write(1, f"{time.monotonic():.6f} ping alive {answered}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
