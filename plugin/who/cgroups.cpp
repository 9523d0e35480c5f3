#include "who/cgroups.h"
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <climits>
#include <fstream>
#include <vector>
#include "base/patterns.h"
#include "base/words.h"
#include "who/container_names.h"

namespace {

constexpr size_t most_known = 10'000;  // cgroups that come and go, above which we begin anew
constexpr size_t most_members = 1000;

bool take_end(std::string_view& text, std::string_view end) {
    if (!text.ends_with(end)) return false;
    return text.remove_suffix(end.size()), true;
}

bool take_front(std::string_view& text, std::string_view front) {
    if (!text.starts_with(front)) return false;
    return text.remove_prefix(front.size()), true;
}

// Without the name of an engine before it, nothing shorter than a whole id will do.
bool is_container_id(std::string_view text, bool engine_named) {
    return text.size() >= (engine_named ? 12 : 64) &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// systemd writes bytes that its names may not hold as \xNN.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); i++) {
        unsigned value;
        if (text[i] == '\\' && i + 3 < text.size() &&
            std::sscanf(std::string(text.substr(i, 4)).c_str(), "\\x%2x", &value) == 1)
            plain += static_cast<char>(value), i += 3;
        else
            plain += text[i];
    }
    return plain;
}

// For one whose engine tells no name: who runs it, and the first twelve digits, as Netdata does.
CgroupName of_engine(const char* engine, std::string_view id) {
    return {.name = fmt::format("{}_{}", engine, id.substr(0, 12)), .container = std::string(id)};
}

std::optional<CgroupName> name_by_convention(std::string_view path) {
    auto parts = split_words(path, "/");
    if (parts.empty()) return {};
    std::string_view last = parts.back(), parent = parts.size() > 1 ? parts[parts.size() - 2] : "";

    bool in_kubernetes = std::any_of(parts.begin(), parts.end(), [](auto p) { return p.starts_with("kubepods"); });
    std::string_view id = last;
    take_end(id, ".scope");
    for (auto [front, engine] : {std::pair{"docker-", "docker"},
                                 {"libpod-", "podman"},
                                 {"crio-", "crio"},
                                 {"cri-containerd-", "containerd"},
                                 {"nerdctl-", "containerd"},
                                 {"", ""}}) {
        std::string_view rest = id;
        if (!take_front(rest, front) || !is_container_id(rest, *front)) continue;
        if (in_kubernetes) return of_engine("k8s_cntr", rest);
        if (*front) return of_engine(engine, rest);
        if (parent == "docker" || parent.ends_with("docker")) return of_engine("docker", rest);
        if (parent.starts_with("libpod")) return of_engine("podman", rest);
        return of_engine("containerd", rest);
    }
    if (in_kubernetes) return {};  // the pods and their classes: the sums of their containers

    if (parts[0].starts_with("lxc.payload")) {
        std::string_view name = parts[0];
        if (take_front(name, "lxc.payload."))
            return parts.size() == 1 ? std::optional(CgroupName{fmt::format("lxc_{}", name)}) : std::nullopt;
        return parts.size() == 2 ? std::optional(CgroupName{fmt::format("lxc_{}", parts[1])}) : std::nullopt;
    }
    if (parts[0] == "lxc")
        return parts.size() == 2 ? std::optional(CgroupName{fmt::format("lxc_{}", parts[1])}) : std::nullopt;
    if (parts[0].starts_with("lxc.")) return {};

    if (parts[0] == "machine.slice" || parts[0] == "machine") {
        if (parts.size() != 2) return {};
        std::string name = unescaped(last);
        std::string_view rest = name;
        if (take_end(rest, ".scope") && take_front(rest, "machine-")) {
            if (take_front(rest, "qemu-")) {
                rest.remove_prefix(std::min(rest.find_first_not_of("0123456789"), rest.size()));
                take_front(rest, "-");
                return CgroupName{fmt::format("qemu_{}", rest)};
            }
            return CgroupName{std::string(rest)};
        }
        if (take_end(rest, ".libvirt-qemu")) return CgroupName{fmt::format("qemu_{}", rest)};
        if (take_front(rest, "systemd-nspawn@") && take_end(rest, ".service")) return CgroupName{std::string(rest)};
        return {};
    }

    if (std::string_view name = last; take_end(name, ".service"))
        return parts[0] == "system.slice" ? std::optional(CgroupName{unescaped(name), true}) : std::nullopt;
    for (std::string_view part : parts)  // what systemd keeps for itself and for users
        for (const char* kind : {".slice", ".scope", ".mount", ".swap", ".socket", ".service", ".partition", ".user"})
            if (part.ends_with(kind)) return {};
    for (const char* manager :
         {"docker", "libvirt", "qemu", "system", "systemd", "user", "init", "podman", "libpod_parent"})
        if (parts[0] == manager) return {};

    std::string name;
    for (std::string_view part : parts) name += fmt::format("{}{}", name.empty() ? "" : "_", part);
    return CgroupName{name};
}

}  // namespace

std::optional<CgroupName> name_cgroup(std::string_view path) {
    std::optional<CgroupName> named = name_by_convention(path);
    if (named && named->name.empty()) return {};  // anybody may make a `.service`
    return named;
}

std::optional<bool> matches_patterns(std::string_view patterns, std::string_view text) {
    for (std::string_view word : split_words(patterns, " \t")) {
        bool wanted = !take_front(word, "!");
        if (!word.empty() && matches_wild(word, text)) return wanted;
    }
    return {};
}

Cgroups::Cgroups(std::string root, std::string proc, std::string patterns)
    : root_(std::move(root)), proc_(std::move(proc)), patterns_(std::move(patterns)) {
    members_.emplace_back();
    std::ifstream own(root_ + "/proc/self/cgroup");
    bool old_hierarchies = false;
    for (std::string line; std::getline(own, line);) {
        auto controllers = line.substr(std::min(line.find(':'), line.size()));
        old_hierarchies |= !controllers.starts_with("::") && !controllers.starts_with(":name=");
    }
    if (old_hierarchies) return;
    std::ifstream mounts(root_ + "/proc/self/mounts");
    for (std::string device, path, type, rest; mounts >> device >> path >> type && std::getline(mounts, rest);)
        if (type == "cgroup2" && !mount_ &&
            (mount_ = Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))))
            mount_path_ = path;
}

// The kernel opens a cgroup by its id: a file handle of the type FILEID_KERNFS (include/linux/exportfs.h; since 5.5).
std::optional<std::string> Cgroups::path_of(uint64_t id) const {
    struct {
        file_handle head;
        uint64_t id;
    } handle{{.handle_bytes = sizeof id, .handle_type = 0xfe}, id};
    const Descriptor cgroup(open_by_handle_at(mount_.get(), &handle.head, O_PATH | O_CLOEXEC));
    if (!cgroup) return {};
    char path[PATH_MAX];
    ssize_t n = readlink(fmt::format("/proc/self/fd/{}", cgroup.get()).c_str(), path, sizeof path);
    std::string_view whole(path, n > 0 ? static_cast<size_t>(n) : 0);
    if (!take_front(whole, mount_path_)) return {};
    return whole.empty() ? "/" : std::string(whole);
}

uint32_t Cgroups::of(uint64_t id, uint32_t tgid) {
    if (!by_ids()) return of_process(tgid);
    if (auto known = by_id_.find(id); known != by_id_.end()) return known->second;
    if (by_id_.size() > most_known) by_id_.clear();
    if (auto path = path_of(id)) return by_id_[id] = of_path(*path);
    // Gone, or we have not the right to open it (CAP_DAC_READ_SEARCH). Then its process tells, if it is still there; where it
    // is now need not be what the id stands for, so that is not remembered.
    return of_process(tgid);
}

// The lines are "number:controllers:path". With several hierarchies the memory controller's is the one that container
// engines name; systemd's own comes next.
uint32_t Cgroups::of_process(uint32_t tgid) {
    if (proc_.empty()) return 0;
    std::ifstream file(fmt::format("{}/{}/cgroup", proc_, tgid));
    std::string best;
    int rank = 0;
    for (std::string line; std::getline(file, line);) {
        size_t controllers = line.find(':'), path = line.find(':', controllers + 1);
        if (path == std::string::npos) continue;
        std::string list = fmt::format(",{},", line.substr(controllers + 1, path - controllers - 1));
        int now = list.find(",memory,") != std::string::npos ? 4 : list == ",name=systemd," ? 3 : list == ",," ? 1 : 2;
        if (by_ids() != (list == ",,") || now <= rank) continue;
        rank = now;
        best = line.substr(path + 1);
    }
    return best.empty() ? 0 : of_path(best);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the path is
uint32_t Cgroups::of_path(const std::string& path) {
    if (auto known = by_path_.find(path); known != by_path_.end()) return known->second;
    if (by_path_.size() > most_known)
        for (auto at = by_path_.begin(); at != by_path_.end();) at = at->second ? std::next(at) : by_path_.erase(at);
    std::optional<CgroupName> named = name_cgroup(path);
    std::optional<bool> asked_for = matches_patterns(patterns_, path);
    if (asked_for == false) return by_path_[path] = 0;
    if (!named && asked_for != true) {  // what a container or a service has divided itself into is still its own
        size_t above = path.rfind('/');
        uint32_t number = above == std::string::npos || above == 0 ? 0 : of_path(path.substr(0, above));
        return number ? number : by_path_[path] = 0;  // there may come any number of them
    }
    if (!named) {
        std::string name = path.substr(1);
        std::replace(name.begin(), name.end(), '/', '_');
        named = CgroupName{name.empty() ? "root" : name};
    }
    if (std::string name = named->container.empty() ? "" : container_name(root_, named->container); !name.empty())
        named->name = name;
    // A container that was made anew under its name goes on in the charts that it had.
    auto room = std::find_if(members_.begin() + 1, members_.end(), [&](const Member& m) {
        return !m.processes && m.service == named->service && m.name == named->name;
    });
    bool goes_on = room != members_.end();
    // Else one that is long gone makes room: containers come and go for years.
    if (!goes_on && members_.size() >= most_members)
        room = std::find_if(members_.begin() + 1, members_.end(),
                            [](const Member& m) { return !m.shown && !m.processes && !m.active && m.retired; });
    auto number = static_cast<uint32_t>(room - members_.begin());
    if (room == members_.end())
        members_.emplace_back();
    else {
        std::erase_if(by_path_, [number](auto& p) { return p.second == number; });
        std::erase_if(by_id_, [number](auto& p) { return p.second == number; });
    }
    if (!goes_on) members_[number] = {{.name = named->name}, named->service};
    return by_path_[path] = number;
}
