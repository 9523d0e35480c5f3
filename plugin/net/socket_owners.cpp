#include "net/socket_owners.h"
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <cstring>
#include <memory>
#include "base/words.h"

namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

Folder open_folder(int at, const char* path) {
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* dir = fd < 0 ? nullptr : fdopendir(fd);
    if (!dir && fd >= 0) close(fd);
    return {dir, closedir};
}

std::optional<uint32_t> number(std::string_view text) { return parse_number<uint32_t>(text, 0, UINT32_MAX); }

// "socket:[1234]"
std::optional<uint32_t> socket_inode(std::string_view link) {
    constexpr std::string_view begin = "socket:[";
    if (!link.starts_with(begin) || !link.ends_with(']')) return {};
    return number(link.substr(begin.size(), link.size() - begin.size() - 1));
}

}  // namespace

std::unordered_map<uint32_t, uint32_t> socket_owners(const std::string& proc,
                                                     const std::unordered_set<uint32_t>& inodes) {
    std::unordered_map<uint32_t, uint32_t> owners;
    Folder processes = open_folder(AT_FDCWD, proc.c_str());
    while (const dirent* process = processes && owners.size() < inodes.size() ? readdir(processes.get()) : nullptr) {
        auto tgid = number(process->d_name);
        if (!tgid) continue;
        Folder files = open_folder(dirfd(processes.get()), (std::string(process->d_name) + "/fd").c_str());
        while (const dirent* file = files ? readdir(files.get()) : nullptr) {
            char link[64];  // a socket's fits
            ssize_t n = readlinkat(dirfd(files.get()), file->d_name, link, sizeof link);
            auto inode = n > 0 ? socket_inode({link, static_cast<size_t>(n)}) : std::nullopt;
            if (!inode || !inodes.contains(*inode)) continue;
            auto [owner, is_new] = owners.try_emplace(*inode, *tgid);
            owner->second = std::min(owner->second, *tgid);
        }
    }
    return owners;
}
