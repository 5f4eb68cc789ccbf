"""Which IPv4 and IPv6 addresses a host has, as its kernel announces each change (rtnetlink).

A socket made inside a network namespace stays there, so one thread enters, makes it and ends; no
process runs in the node and none is started again and again. The socket pins the namespace: it is
closed as soon as the node's power is off.
"""
import ctypes
import os
import select
import socket
import struct
import threading
import time

from . import sh

CLONE_NEWNET = 0x40000000
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
NLM_F_REQUEST_DUMP = 0x301
IFA_ADDRESS, IFA_LOCAL = 1, 2
HEADER = struct.Struct("=IHHII")        # nlmsghdr
IFADDRMSG = struct.Struct("=BBBBI")
DUMP = HEADER.pack(HEADER.size + IFADDRMSG.size, RTM_GETADDR, NLM_F_REQUEST_DUMP, 1, 0) \
    + IFADDRMSG.pack(0, 0, 0, 0, 0)
libc = ctypes.CDLL(None, use_errno=True)


def socket_in(netns):
    """A netlink socket in another network namespace."""
    made = []

    def enter():
        fd = os.open(f"/run/netns/{netns}", os.O_RDONLY)
        try:
            if libc.setns(fd, CLONE_NEWNET) == 0:
                made.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE))
        finally:
            os.close(fd)

    thread = threading.Thread(target=enter)     # setns moves this thread alone, and it ends here
    thread.start()
    thread.join()
    if not made:
        raise sh.LabError(f"cannot enter {netns}")
    made[0].bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
    made[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return made[0]


def messages(data):
    """(type, ifaddrmsg, {attribute: bytes}) of each address message in a datagram."""
    while len(data) >= HEADER.size:
        length, kind, *_ = HEADER.unpack_from(data)
        body, data = data[HEADER.size:length], data[(length + 3) & ~3:]
        if kind not in (RTM_NEWADDR, RTM_DELADDR):
            continue
        head, rest, attributes = IFADDRMSG.unpack_from(body), body[IFADDRMSG.size:], {}
        while len(rest) >= 4:
            size, number = struct.unpack_from("=HH", rest)
            attributes[number] = rest[4:size]
            rest = rest[(size + 3) & ~3:]
        yield kind, head, attributes


class Addresses:
    """The addresses of one host now (`held`), and every change so far (`history`)."""

    def __init__(self, netns):
        self.netns = netns
        self.held = {}              # address -> since when (monotonic)
        self.history = []           # (at, "added" or "removed", address)
        self.stop = None
        self.lock = threading.Lock()

    def open(self):
        self.close()
        self.stop = threading.Event()
        threading.Thread(target=self.follow, args=(socket_in(self.netns), self.stop),
                         daemon=True).start()

    def close(self):
        if self.stop:
            self.stop.set()
        self.stop = None
        with self.lock:
            for address in list(self.held):
                self.change("removed", address)

    def follow(self, link, stop):
        with link:
            link.send(DUMP)
            while not stop.is_set():
                if not select.select([link], [], [], 0.2)[0]:
                    continue
                try:
                    data = link.recv(1 << 18)
                except OSError:     # ENOBUFS: some were lost, ask for all
                    link.send(DUMP)
                    continue
                self.take(data, stop)

    def take(self, data, stop):
        for kind, (family, *_), attributes in messages(data):
            raw = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
            if raw is None:
                continue
            with self.lock:
                if not stop.is_set():
                    self.change("added" if kind == RTM_NEWADDR else "removed",
                                socket.inet_ntop(family, raw))

    def change(self, what, address):
        known = address in self.held
        if known == (what == "added"):
            return
        now = time.monotonic()
        if what == "added":
            self.held[address] = now
        else:
            del self.held[address]
        self.history.append((now, what, address))
