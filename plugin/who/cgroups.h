// Control groups: which of them are containers, virtual machines or services, and what they are called.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include "base/owner.h"
#include "netdata/member.h"

struct CgroupName {
    std::string name;
    bool service = false;
    std::string container = {};  // its engine's id for it, if it has one
};

// What a path in the hierarchy stands for, by the names that systemd, docker, podman, containerd, cri-o, Kubernetes, lxc and
// libvirt give; nothing if it has no charts of its own.
std::optional<CgroupName> name_cgroup(std::string_view path);

// Netdata's lists of patterns: words apart by blanks, the first that matches decides, ! is for no; * stands for anything.
// Nothing if none matches.
std::optional<bool> matches_patterns(std::string_view patterns, std::string_view text);

class Cgroups {
public:
    // Both hierarchies are known by the lines of /proc/self/cgroup. `root`: where the host's is mounted, "" if that is ours.
    // `proc`: where the processes have the kernel's ids, "" if they have not (in a pid namespace).
    Cgroups(std::string root, std::string proc, std::string patterns);

    // The number of a cgroup with charts, 0 for all others.
    uint32_t of(uint64_t id,
                uint32_t tgid);          // by its id in the v2 hierarchy, or where that is not in use, by its process
    uint32_t of_process(uint32_t tgid);  // as /proc says; 0 too if the process is gone

    bool by_ids() const { return bool{mount_}; }  // the v2 hierarchy is in use

    Member& operator[](uint32_t number) { return members_[number]; }
    std::deque<Member>& members() { return members_; }  // the first is for all others

private:
    uint32_t of_path(const std::string& path);
    std::optional<std::string> path_of(uint64_t id) const;

    const std::string root_, proc_, patterns_;
    std::string mount_path_;
    Descriptor mount_;  // of the v2 hierarchy, if processes are told apart there
    std::deque<Member> members_;
    std::unordered_map<std::string, uint32_t> by_path_;
    std::unordered_map<uint64_t, uint32_t> by_id_;
};
