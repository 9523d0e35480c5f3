#include "netdata/writer.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include "base/error.h"
#include "base/words.h"

std::string harmless(std::string_view text) {
    std::string word(text.empty() ? "_" : shortened(text, longest_name));
    for (char& c : word)
        if (c == '\'' || c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '_';
    return word;
}

std::string in_quotes(std::string_view text) { return "'" + harmless(text) + "'"; }

bool is_pipe(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

// A reader that has stopped reading must not keep us from ending.
Writer::Writer(int fd) : fd_(fd) {
    if (is_pipe(fd)) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void Writer::grow(size_t wanted) {
    capacity_ = std::max({2 * capacity_, size_ + wanted, size_t{4096}});
    std::unique_ptr<char[]> larger(new char[capacity_]);
    if (size_) std::memcpy(larger.get(), text_.get(), size_);
    text_ = std::move(larger);
}

bool Writer::flush() {
    size_t done = 0;
    while (done < size_) {
        ssize_t n = write(fd_, text_.get() + done, size_ - done);
        if (n >= 0)
            done += static_cast<size_t>(n);
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            throw Error(fmt::format("write to the agent: {}", std::strerror(errno)), errno);
    }
    size_ -= done;
    if (size_) std::memmove(text_.get(), text_.get() + done, size_);
    return !size_;
}
