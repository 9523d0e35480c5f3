// Sockets on loopback for tests, that close themselves.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <stdexcept>
#include <string>
#include <utility>

class TestSocket {
public:
    TestSocket(int family, int type) : TestSocket(socket(family, type | SOCK_CLOEXEC, 0)) {}
    explicit TestSocket(int fd) : fd_(fd) {
        if (fd < 0) throw std::runtime_error("no socket for the test");
    }
    TestSocket(TestSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~TestSocket() {
        if (fd_ >= 0) close(fd_);
    }
    TestSocket(const TestSocket&) = delete;
    TestSocket& operator=(const TestSocket&) = delete;
    TestSocket& operator=(TestSocket&&) = delete;

    TestSocket& bind_to(const std::string& address, uint16_t port = 0) { return call(::bind, address, port); }
    TestSocket& connect_to(const std::string& address, uint16_t port) { return call(::connect, address, port); }
    TestSocket& listen() {
        if (::listen(fd_, 128)) throw std::runtime_error("listen");
        return *this;
    }
    TestSocket accept() const { return TestSocket(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)); }

    void send(size_t bytes) const {
        std::string text(bytes, 'x');
        for (size_t done = 0; done < bytes;) {
            ssize_t n = ::send(fd_, text.data() + done, bytes - done, 0);
            if (n <= 0) throw std::runtime_error("send");
            done += static_cast<size_t>(n);
        }
    }
    void receive(size_t bytes) const {
        std::string text(bytes, 0);
        if (recv(fd_, text.data(), bytes, MSG_WAITALL) != static_cast<ssize_t>(bytes))
            throw std::runtime_error("receive");
    }
    int fd() const { return fd_; }
    void end_sending() const { shutdown(fd_, SHUT_WR); }

    uint16_t port() const {
        sockaddr_in6 name{};
        socklen_t size = sizeof name;
        getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size);
        return ntohs(name.sin6_port);  // at the same place in both families
    }
    template <class Value>
    Value option(int level, int name) const {
        Value value{};
        socklen_t size = sizeof value;
        if (getsockopt(fd_, level, name, &value, &size)) throw std::runtime_error("getsockopt");
        return value;
    }
    uint64_t cookie() const { return option<uint64_t>(SOL_SOCKET, SO_COOKIE); }
    uint32_t inode() const {
        struct stat about {};
        fstat(fd_, &about);
        return static_cast<uint32_t>(about.st_ino);
    }

private:
    template <class Call>
    TestSocket& call(Call what, const std::string& address, uint16_t port) {
        sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
        sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(port)};
        bool ok = inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1
                      ? !what(fd_, reinterpret_cast<const sockaddr*>(&v4), sizeof v4)
                      : inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1 &&
                            !what(fd_, reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
        if (!ok) throw std::runtime_error("bind or connect to " + address);
        return *this;
    }

    int fd_;
};
