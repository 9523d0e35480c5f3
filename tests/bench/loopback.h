// TCP on loopback addresses.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include "bench.h"

class TcpSocket {
public:
    explicit TcpSocket(int fd) : fd_(check(fd, "make a socket")) {}
    ~TcpSocket() { close(fd_); }
    TcpSocket(const TcpSocket&) = delete;
    TcpSocket& operator=(const TcpSocket&) = delete;
    operator int() const { return fd_; }

    void set(int level, int option, int value) const {
        check(setsockopt(fd_, level, option, &value, sizeof value), "set a socket's option");
    }
    void send(size_t bytes) const {
        static const char data[1 << 12] = {};
        if (::send(fd_, data, bytes, 0) != static_cast<ssize_t>(bytes)) throw Error("a send sends less than asked");
    }
    void receive(size_t bytes) const {
        char data[1 << 12];
        while (bytes > 0) {
            ssize_t n = check(recv(fd_, data, std::min(bytes, sizeof data), 0), "receive");
            if (!n) throw Error("a connection has ended early");
            bytes -= static_cast<size_t>(n);
        }
    }

private:
    int fd_;
};

inline int new_tcp_socket() { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

class TcpListener {
public:
    explicit TcpListener(uint32_t address = INADDR_LOOPBACK) : socket_(new_tcp_socket()) {
        address_.sin_addr.s_addr = htonl(address);
        socklen_t size = sizeof address_;
        check(bind(socket_, sockaddress(), size), "bind");
        check(listen(socket_, 4096), "listen");
        check(getsockname(socket_, reinterpret_cast<sockaddr*>(&address_), &size), "ask for the port");
    }

    __u16 port() const { return address_.sin_port; }  // in network byte order
    int connect() const {
        int fd = check(new_tcp_socket(), "make a socket");
        check(::connect(fd, sockaddress(), sizeof address_), "connect");
        return fd;
    }
    int accept() const { return accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC); }

private:
    const sockaddr* sockaddress() const { return reinterpret_cast<const sockaddr*>(&address_); }

    sockaddr_in address_{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    TcpSocket socket_;
};
