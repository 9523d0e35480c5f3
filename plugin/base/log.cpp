#include "base/log.h"
#include <fmt/chrono.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include "base/clock.h"
#include "base/words.h"

namespace {

struct Level {
    const char *plain, *name;
    int priority;  // of syslog(3)
};
const Level& level(Severity severity) {
    static constexpr Level levels[] = {{"INFO", "info", 6}, {"WARNING", "warning", 4}, {"ERROR", "error", 3}};
    return levels[static_cast<int>(severity)];
}

std::time_t seconds(int64_t at) { return at / 1'000'000; }
std::string rfc3339(int64_t at) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds(at)), at / 1000 % 1000);
}

// The agent's least level is named by words of syslog(3); what is not understood leaves nothing out.
int least_priority(const std::string& name) {
    constexpr const char* names[] = {"emergency", "alert", "critical", "error", "warning", "notice", "info"};
    for (int n = 0; n < 7; n++)
        if (name == names[n]) return n;
    return 7;
}

class Log {
public:
    Log() {
        std::string method = environment("NETDATA_LOG_METHOD"), format = environment("NETDATA_LOG_FORMAT");
        silent_ = method == "none";
        if (method == "journal") open_journal(environment("NETDATA_SYSTEMD_JOURNAL_PATH"));
        if (format == "json")
            form_ = json;
        else if (!format.empty() || !method.empty())
            form_ = logfmt;
    }

    void say(Severity severity, std::string text) {
        if (silent_ || level(severity).priority > least_) return;
        // Others' words are in it, and it is one line.
        std::replace_if(
            text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
        int64_t at = clock_ns(CLOCK_REALTIME) / 1000;
        Throttle::Verdict verdict = throttle_.ask(seconds(at));
        if (verdict.left_out)
            write({Severity::Warning, fmt::format("{} messages have been left out", verdict.left_out), at});
        if (verdict.passes) write({severity, text, at});
    }

    void redirect(LineReader to) { redirected_ = std::move(to); }
    int descriptor() const { return journal_; }

private:
    void open_journal(const std::string& path) {
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        std::string to = path.empty() ? "/run/systemd/journal/socket" : path;
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) return;
        to.copy(address.sun_path, sizeof address.sun_path - 1);
        if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
            journal_ = fd;
        else
            close(fd);
    }

    void write(const Message& message) {
        if (journal_ >= 0) {
            std::string fields = journal(message);
            if (send(journal_, fields.data(), fields.size(), MSG_NOSIGNAL) >= 0) return;
        }
        // Nobody can be told of an error here; in one piece, so that the lines of several plugins do not mix.
        std::string line = form_(message) + "\n";
        if (redirected_) return redirected_(line);
        [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    }

    std::string (*form_)(const Message&) = plain;
    LineReader redirected_;
    bool silent_ = false;
    int journal_ = -1;
    int least_ = least_priority(environment("NETDATA_LOG_LEVEL"));
    Throttle throttle_{std::atol(environment("NETDATA_ERRORS_THROTTLE_PERIOD").c_str()),
                       std::atol(environment("NETDATA_ERRORS_PER_PERIOD").c_str())};
};

Log& the_log() {
    static Log log;
    return log;
}

}  // namespace

void log_complaints(const std::vector<std::string>& complaints) {
    constexpr size_t most = 100;
    for (size_t i = 0; i < std::min(complaints.size(), most); i++) log_line(Severity::Warning, complaints[i]);
    if (complaints.size() > most)
        log(Severity::Warning, "and {} more complaints about the configuration", complaints.size() - most);
}

std::string plain(const Message& message) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S}: ebpf.plugin {}: {}", fmt::localtime(seconds(message.at)),
                       level(message.severity).plain, message.text);
}

std::string logfmt(const Message& message) {
    std::string text;
    for (char c : message.text) {
        if (c == '"' || c == '\\') text += '\\';
        text += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return fmt::format("time={} comm=ebpf.plugin source=collector level={} msg=\"{}\"", rfc3339(message.at),
                       level(message.severity).name, text);
}

std::string json(const Message& message) {
    nlohmann::ordered_json fields = {{"time", rfc3339(message.at)},
                                     {"comm", "ebpf.plugin"},
                                     {"source", "collector"},
                                     {"level", level(message.severity).name},
                                     {"msg", message.text}};
    return fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string journal(const Message& message) {
    std::string text = message.text;  // a field ends with its line
    std::replace(text.begin(), text.end(), '\n', ' ');
    return fmt::format("MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER=ebpf.plugin\nND_LOG_SOURCE=collector\n", text,
                       level(message.severity).priority);
}

Throttle::Verdict Throttle::ask(int64_t now) {
    if (period_ <= 0 || most_ <= 0) return {true};
    long left_out = 0;
    if (!begin_ || now < *begin_ || now - *begin_ >= period_) {
        left_out = std::max(count_ - most_, 0L);
        begin_ = now;
        count_ = 0;
    }
    return {++count_ <= most_, left_out};
}

void log_line(Severity severity, const std::string& text) { the_log().say(severity, text); }

int log_descriptor() { return the_log().descriptor(); }
void redirect_log(LineReader to) { the_log().redirect(std::move(to)); }
