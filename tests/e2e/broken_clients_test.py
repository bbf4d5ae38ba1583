# SPDX-License-Identifier: Apache-2.0
"""Clients that hang up, stop reading, or do both at random, harm nobody and leave nothing behind."""
import json
import random
import socket
import statistics
import threading
import time

from conftest import wait_for

LONG = " ".join(f"word{i}" for i in range(400))


def open_stream(server, content=LONG, receive_buffer=None):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.connect(("127.0.0.1", server.port))
    body = json.dumps({"model": "qwen3", "stream": True, "max_tokens": 4096, "messages": [{"role": "user", "content": content}]})
    s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    return s


def inflight(server):
    return server.metric("dynamo_frontend_inflight_requests", model="qwen3")


def test_a_client_that_hangs_up_frees_its_request_at_once(slow_echo):
    before = slow_echo.metric("dynamo_frontend_disconnected_clients")
    waits = []
    for _ in range(5):
        s = open_stream(slow_echo)
        s.recv(4096)
        assert inflight(slow_echo) == 1
        s.close()
        started = time.monotonic()
        wait_for(lambda: inflight(slow_echo) == 0, 2, "freeing the request")
        waits.append(time.monotonic() - started)
    # A step is 20 ms. The best of five, since the machine may have more to do than this.
    assert min(waits) < 0.02 + 0.05, waits
    assert slow_echo.metric("dynamo_frontend_disconnected_clients") == before + 5


def test_a_client_that_leaves_before_the_answer_frees_its_request(slow_echo):
    body = json.dumps({"model": "qwen3", "max_tokens": 4096, "messages": [{"role": "user", "content": LONG}]})
    s = socket.create_connection(("127.0.0.1", slow_echo.port))
    s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    wait_for(lambda: inflight(slow_echo) == 1, 2, "starting")
    s.close()
    wait_for(lambda: inflight(slow_echo) == 0, 2, "freeing the request")


def test_500_streams_cut_at_random_points_leave_nothing(slow_echo):
    rng = random.Random(5)
    for _ in range(10):
        streams = [open_stream(slow_echo) for _ in range(50)]
        for s in streams:
            s.settimeout(5)
            for _ in range(rng.randrange(3)):
                s.recv(rng.randrange(1, 2000))
        rng.shuffle(streams)
        for s in streams:
            if rng.random() < 0.5:  # a reset instead of an orderly end
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            s.close()
    wait_for(lambda: inflight(slow_echo) == 0, 5, "freeing 500 requests")
    assert slow_echo.chat()[0] == 200


def gaps(server, seconds, out):
    s = open_stream(server)
    s.settimeout(5)
    last, until, found = None, time.monotonic() + seconds, []
    while time.monotonic() < until:
        if not s.recv(65536):
            break
        now = time.monotonic()
        if last:
            found.append(now - last)
        last = now
    s.close()
    out.append(statistics.median(found))


def rss_kib(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def median_gap_of_seven(server, seconds):
    found = []
    threads = [threading.Thread(target=gaps, args=(server, seconds, found)) for _ in range(7)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return statistics.median(found)


def test_a_reader_that_stops_costs_little_and_slows_nobody(slow_echo):
    alone = median_gap_of_seven(slow_echo, 3)
    sleeper = open_stream(slow_echo, content="x " * 4000, receive_buffer=4096)
    sleeper.recv(1000)
    before = rss_kib(slow_echo)
    beside = median_gap_of_seven(slow_echo, 10)
    grown = rss_kib(slow_echo) - before
    sleeper.close()
    print(f"median gap {alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside a sleeper, which cost {grown} KiB")
    assert beside <= 1.5 * alone
    assert grown <= 1024


def test_a_reader_that_stops_on_a_burst_holds_no_more_than_its_share(echo):
    before = rss_kib(echo)
    sleepers = [open_stream(echo, content="burst " * 20000, receive_buffer=4096) for _ in range(4)]
    time.sleep(3)
    assert echo.chat()[0] == 200
    for s in sleepers:
        s.close()
    wait_for(lambda: inflight(echo) == 0, 5, "freeing the sleepers")
    assert rss_kib(echo) - before < 64 * 1024
