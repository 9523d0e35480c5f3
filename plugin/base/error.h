// Errors that end something, and the lines on stderr that tell of them.
#pragma once
#include <fmt/format.h>
#include <cerrno>
#include <cstring>
#include <stdexcept>

struct Error : std::runtime_error {
    explicit Error(const std::string& what, int code_ = 0) : std::runtime_error(what), code(code_) {}
    int code;  // errno, 0 if there is none
};

// The result of a call that says -1 or NULL with errno when it fails: throws "what: reason".
template <class Result, class... Args>
Result check(Result result, fmt::format_string<Args...> what, Args&&... args) {
    bool failed;
    if constexpr (std::is_pointer_v<Result>)
        failed = !result;
    else
        failed = result < 0;
    if (!failed) return result;
    int code = errno;
    throw Error(fmt::format("{}: {}", fmt::format(what, std::forward<Args>(args)...), std::strerror(code)), code);
}

enum class Severity { Info, Warning, Error };

void log_line(Severity severity, const std::string& text);  // one line, in the format of the agent's error.log

template <class... Args>
void log(Severity severity, fmt::format_string<Args...> format, Args&&... args) {
    log_line(severity, fmt::format(format, std::forward<Args>(args)...));
}
