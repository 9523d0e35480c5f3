// Owners of what a C library or the kernel gives: the first are unique_ptr's deleters, made of the library's own function.
#pragma once
#include <unistd.h>
#include <utility>

template <auto destroy>
struct Destroy {
    void operator()(auto* p) const { destroy(p); }
};

// An open file, closed with its owner.
class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset() {
        if (fd_ >= 0) close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};
