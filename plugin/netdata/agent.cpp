#include "netdata/agent.h"
#include <fmt/format.h>
#include <cstdio>
#include <sstream>
#include <tuple>
#include "base/words.h"

Agent::Agent() : Agent(environment("NETDATA_VERSION")) {
    self_charts = environment("NETDATA_INTERNALS_MONITORING") != "NO";
}

Agent::Agent(const std::string& version) {
    int major = 0, minor = 0;
    bool known = std::sscanf(version.c_str(), "%*[v]%d.%d", &major, &minor) == 2 ||
                 std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2;
    auto since = [&](int wanted_major, int wanted_minor) {
        return known && std::tie(major, minor) >= std::tie(wanted_major, wanted_minor);
    };
    labels = version.empty() || since(1, 32);
    functions = since(1, 37);
    function_tags = since(2, 0);
}

std::string Agent::function_line(const std::string& name, const std::string& help) const {
    constexpr int timeout = 10;  // seconds
    // Where to list it, who may call it (what processes do is not for everybody), how high, which form of the calls.
    const char* more = function_tags ? " \"top\" \"members\" 100 3" : "";
    return fmt::format("FUNCTION GLOBAL \"{}\" {} \"{}\"{}\n", name, timeout, help, more);
}

std::optional<FunctionCall> parse_function_call(const std::string& line) {
    if (!line.starts_with("FUNCTION ") && !line.starts_with("FUNCTION_PAYLOAD ")) return {};
    FunctionCall call;
    std::istringstream words(line);
    std::string keyword, timeout, text;
    words >> keyword >> call.transaction >> timeout >> std::ws;
    if (words.peek() == '"') {
        words.get();
        std::getline(words, text, '"');
    } else
        words >> text;
    if (call.transaction.empty()) return {};
    std::istringstream arguments(text);
    arguments >> call.name;
    for (std::string argument; arguments >> argument;) call.info |= argument == "info";
    return call;
}
