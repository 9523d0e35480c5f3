"""Both ends of a conversation that know to the byte what they have sent and received.

traffic.py serve tcp|udp ADDRESS PORT         echoes; says `ready` when it can be spoken to
traffic.py swallow tcp ADDRESS PORT           reads and says nothing back
traffic.py talk tcp|udp|udp-unconnected ADDRESS PORT
traffic.py shout tcp ADDRESS PORT             does not wait for an echo
    For each number on its input, sends so many bytes, over one socket (UDP: one datagram), and says how many in all:
    `sent N received N`. At the end of its input it closes.
"""
import select
import selectors
import socket
import sys


def serve_tcp(listener, echoes):
    listener.listen(64)
    print("ready", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            data = key.fileobj.recv(65536)
            if data and echoes:
                key.fileobj.sendall(data)
            elif not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()


def serve_udp(server):
    print("ready", flush=True)
    while True:
        # A function that was entered before the plugin came returns unseen: this one is entered when a datagram is there.
        select.select([server], [], [])
        data, peer = server.recvfrom(65536)
        server.sendto(data, peer)


def talk(how, peer, family, waits):
    kind = socket.SOCK_STREAM if how == "tcp" else socket.SOCK_DGRAM
    speaker = socket.socket(family, kind)
    speaker.settimeout(30)
    if how != "udp-unconnected":
        speaker.connect(peer)
    print("ready", flush=True)
    sent = received = 0
    for line in sys.stdin:
        wanted = int(line)
        if how == "tcp":
            for begin in range(0, wanted, 65536):
                speaker.sendall(b"x" * min(65536, wanted - begin))
        else:
            speaker.sendto(b"x" * wanted, peer) if how == "udp-unconnected" else speaker.send(b"x" * wanted)
        sent += wanted
        while waits and received < sent:
            received += len(speaker.recvfrom(65536)[0])
        print(f"sent {sent} received {received}", flush=True)


role, how, address, port = sys.argv[1:]
family, *_, place = socket.getaddrinfo(address, int(port), type=socket.SOCK_STREAM)[0]
if role in ("talk", "shout"):
    talk(how, place, family, role == "talk")
else:
    server = socket.socket(family, socket.SOCK_STREAM if how == "tcp" else socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(place)
    if how == "tcp":
        serve_tcp(server, role == "serve")
    serve_udp(server)
