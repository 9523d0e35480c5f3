#include "netdata/functions.h"
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>
#include "netdata/function_table.h"

Functions::Functions(const Agent& agent, int update_every)
    : agent_(agent), update_every_(update_every), is_called_(is_pipe(STDIN_FILENO)) {}

void Functions::offer(const std::string& name, Function function) {
    offered_.push_back({name, std::move(function), {}});
}

Functions::Offered* Functions::find(const std::string& name) {
    auto at = std::find_if(offered_.begin(), offered_.end(), [&](const Offered& o) { return o.name == name; });
    return at == offered_.end() ? nullptr : &*at;
}

void Functions::withdraw(Writer& out, const std::string& name, const std::string& why) {
    answer(out, name, function_error(503, why), 503);
    std::erase_if(offered_, [&](const Offered& o) { return o.name == name; });
}

void Functions::answer(Writer& out, const std::string& name, const std::string& body, int status) {
    Offered* offered = find(name);
    if (!offered) return;
    for (const std::string& transaction : std::exchange(offered->waiting, {})) reply(out, transaction, status, body);
}

void Functions::begin(Writer& out) {
    if (!agent_.functions) return;
    for (const Offered& offered : offered_) out << agent_.function_line(offered.name, offered.function.help);
}

// The agent speaks in lines; the last, QUIT, may come without its end.
Then Functions::readable(Writer& out, uint32_t) {
    char text[4096];
    ssize_t n = read(STDIN_FILENO, text, sizeof text);
    if (n <= 0) return n == 0 || (errno != EAGAIN && errno != EINTR) ? Then::End : Then::GoOn;
    line_.append(text, static_cast<size_t>(n));
    for (size_t newline; (newline = line_.find('\n')) != std::string::npos; line_.erase(0, newline + 1))
        obey(out, line_.substr(0, newline));
    if (line_ == "QUIT" && !in_payload_) end_ = true;
    if (line_.size() > sizeof text) line_.resize(5);  // of no use to us, and never QUIT again
    return end_ ? Then::End : Then::GoOn;
}

void Functions::obey(Writer& out, std::string line) {
    if (line.ends_with('\r')) line.pop_back();
    if (in_payload_) {  // what a caller sends along is no command
        in_payload_ = line != "FUNCTION_PAYLOAD_END";
        return;
    }
    in_payload_ = line.starts_with("FUNCTION_PAYLOAD ");
    if (line == "QUIT") end_ = true;
    auto call = parse_function_call(line);
    if (!call) return;
    Offered* offered = find(call->name);
    if (!offered)
        return reply(out, call->transaction, 404, function_error(404, "ebpf.plugin has no function " + call->name));
    if (call->info)
        return reply(out, call->transaction, 200, text_of(table_head(offered->function.help, update_every_)));
    offered->waiting.push_back(call->transaction);
    offered->function.ask();
}

void Functions::reply(Writer& out, const std::string& transaction, int status, const std::string& body) const {
    out << fmt::format("FUNCTION_RESULT_BEGIN {} {} application/json {}\n", transaction, status,
                       time(nullptr) + update_every_);
    out << body << "\nFUNCTION_RESULT_END\n";
}
