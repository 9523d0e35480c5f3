// What is written with a Writer.
#pragma once
#include <fcntl.h>
#include <unistd.h>
#include <stdexcept>
#include <string>
#include "netdata/writer.h"

// What was written into a pipe of its own.
class Text {
public:
    Text() {
        if (pipe2(fds_, O_NONBLOCK)) throw std::runtime_error("no pipe");
        fcntl(fds_[1], F_SETPIPE_SZ, 1 << 20);
    }
    ~Text() {
        close(fds_[0]);
        close(fds_[1]);
    }
    Text(const Text&) = delete;
    Text& operator=(const Text&) = delete;

    template <class Write>
    std::string of(Write write) {
        Writer out(fds_[1]);
        write(out);
        if (!out.flush()) throw std::runtime_error("the text is too long for the pipe");
        std::string text(1 << 20, '\0');
        ssize_t n = read(fds_[0], text.data(), text.size());
        text.resize(n > 0 ? static_cast<size_t>(n) : 0);
        return text;
    }

private:
    int fds_[2];
};
