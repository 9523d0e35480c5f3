// The Function `ebpf-connections`: the live connections, as a table for the agent's "Top".
#pragma once
#include <string>
#include <vector>
#include "net/connection.h"

extern const char connection_table_help[];

// The body of the answer (JSON). Of more than most_connections the ones with the most bytes are shown, and it is said.
constexpr size_t most_connections = 10'000;
std::string connection_table(const std::vector<Connection>& connections, int update_every);
