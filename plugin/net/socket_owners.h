// Which process has a socket, asked of /proc.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

// The processes that have these sockets (by inode) open; of several the one with the lowest id. Those that nobody has are left
// out. Reads every open file of the machine, 1 µs each, and stops when all are found: for what is asked by hand.
std::unordered_map<uint32_t, uint32_t> socket_owners(const std::string& proc,
                                                     const std::unordered_set<uint32_t>& inodes);
