// The text of the plugins.d protocol, gathered in one buffer that leaves in one write(2).
#pragma once
#include <charconv>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

// Of a name in an id: the agent cuts ids off at 199 bytes (RRD_ID_LENGTH_MAX), and then knows them no more.
constexpr size_t longest_name = 100;

// A word of the protocol, which knows no escapes but a backslash that hides the quote after it: what it cannot hold becomes
// _. Never empty, at most longest_name long.
std::string harmless(std::string_view text);
std::string in_quotes(std::string_view text);  // the same between quotes

bool is_pipe(int fd);  // or a socket: somebody is at its other end

class Writer {
public:
    explicit Writer(int fd);  // does not wait for a reader if it is a pipe

    Writer& operator<<(std::string_view text) {
        std::memcpy(room(text.size()), text.data(), text.size());
        size_ += text.size();
        return *this;
    }
    Writer& operator<<(int64_t number) {
        constexpr size_t longest = 20;
        char* to = room(longest);
        size_ += static_cast<size_t>(std::to_chars(to, to + longest, number).ptr - to);
        return *this;
    }

    // Writes as much as the reader takes. False if something is left, to be written when the reader has made room;
    // throws when nobody reads any more.
    bool flush();
    bool empty() const { return !size_; }

private:
    char* room(size_t wanted) {
        if (capacity_ - size_ < wanted) [[unlikely]]
            grow(wanted);
        return text_.get() + size_;
    }
    void grow(size_t wanted);

    int fd_;
    std::unique_ptr<char[]> text_;  // a string would count its length anew with each word: 67 ns a chart, not 47
    size_t size_ = 0, capacity_ = 0;
};
