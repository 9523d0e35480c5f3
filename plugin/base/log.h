// The forms that a message on stderr has, by what the agent asks for, and how many of them there may be.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>
#include "base/error.h"

struct Message {
    Severity severity;
    std::string text;
    int64_t at = 0;  // microseconds of CLOCK_REALTIME
};

std::string plain(const Message& message);    // as in the error.log of agents before 1.44
std::string logfmt(const Message& message);   // key=value, for agents since
std::string json(const Message& message);     // an object, likewise
std::string journal(const Message& message);  // the native protocol of systemd's journal

// A line for each; of many, the first, and how many more there are.
void log_complaints(const std::vector<std::string>& complaints);

// Who gets the lines that would go to stderr, while somebody draws there; {}: nobody any more.
using LineReader = std::function<void(const std::string& line)>;
void redirect_log(LineReader to);

int log_descriptor();  // of the journal's socket; -1 if messages go to stderr alone

// At most so many messages in each period, as the agent does with its own.
class Throttle {
public:
    Throttle(int64_t period, long most) : period_(period), most_(most) {}

    struct Verdict {
        bool passes;
        long left_out = 0;  // in the period that has just ended
    };
    Verdict ask(int64_t now);

private:
    const int64_t period_;  // seconds; 0: no limit
    const long most_;
    std::optional<int64_t> begin_;
    long count_ = 0;
};
