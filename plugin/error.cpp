#include "error.h"
#include <fmt/chrono.h>
#include <unistd.h>
#include <ctime>

void log_line(Severity severity, const std::string& text) {
    constexpr const char* names[] = {"INFO", "WARNING", "ERROR"};
    std::string line = fmt::format("{:%Y-%m-%d %H:%M:%S}: ebpf.plugin {}: {}\n", fmt::localtime(std::time(nullptr)),
                                   names[static_cast<int>(severity)], text);
    // Nobody can be told of an error here; in one piece, so that the lines of several plugins do not mix.
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}
