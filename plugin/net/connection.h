// A connection as people are shown it: in the Function `ebpf-connections` and by `--watch`.
#pragma once
#include <optional>
#include <string>
#include "net/sock_diag.h"

enum class Direction : uint8_t { Inbound, Outbound, Listening };

// What is not known stays empty, and is shown so. Without a remote port nobody is at the other end.
struct Connection : Socket {
    Direction direction = Direction::Outbound;
    std::string service{};  // the name of the port that tells what it is for
    std::string process{};
    std::optional<uint32_t> tgid{};
    std::string application{}, cgroup{};
    std::optional<Traffic> moved{};
    std::optional<double> age{};  // seconds
};
