// libFuzzer over every parser that eats bytes from outside: `FUZZ_TARGET=… fuzz [CORPUS...] [-OPTION=...]`; without a
// target it lists them. What a parser makes of
// them must hold what its header says; crashes, wrong memory and leaks are the sanitizers' to find.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include "base/address.h"
#include "base/config.h"
#include "base/patterns.h"
#include "base/words.h"
#include "net/filter.h"
#include "net/service_names.h"
#include "net/sock_diag.h"
#include "netdata/agent.h"
#include "who/app_rules.h"
#include "who/cgroups.h"
#include "who/container_names.h"
#include "who/processes.h"

namespace {

void require(bool condition, const char* what) {
    if (condition) return;
    fmt::print(stderr, "not so: {}\n", what);
    std::abort();
}

// Takes the bytes apart at each zero byte; what is not there is empty.
class Parts {
public:
    explicit Parts(std::string_view data) : rest_(data) {}
    std::string next() {
        size_t end = std::min(rest_.find('\0'), rest_.size());
        std::string part(rest_.substr(0, end));
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return part;
    }

private:
    std::string_view rest_;
};

// In memory, gone at the end.
const std::string& folder() {
    static const struct Folder {
        std::string path = "/dev/shm/ebpf-fuzz.XXXXXX";
        Folder() { require(mkdtemp(path.data()), "a folder can be made in /dev/shm"); }
        ~Folder() { std::filesystem::remove_all(path); }
    } made;
    return made.path;
}
std::string written(const std::string& name, std::string_view text) {
    std::string path = folder() + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::trunc).write(text.data(), static_cast<std::streamsize>(text.size()));
    return path;
}

bool is_one_line(const std::string& text) { return text.find('\n') == std::string::npos; }

void config(std::string_view data) {
    std::string file = written("ebpf.conf", data);
    Config config;
    std::vector<std::string> complaints;
    read_config(file, data.size() % 2, config, complaints);
    for (const std::string& line : complaints) require(is_one_line(line), "a complaint is one line");
    require(config.update_every >= 0 && config.obsolete_after > 0, "what is out of range is refused");
    ServiceNames services(config.service_names, "https 443/tcp\n", config.resolve_services);
    NetFilter(config.ports, config.ips, config.hostnames, config.resolve_hosts, services, complaints);
}

void rules(std::string_view data) {
    Parts parts(data);
    std::string comm = parts.next(), command = parts.next();
    AppRules rules;
    std::vector<std::string> complaints;
    rules.read(written("apps_groups.conf", parts.next()), complaints);
    require(rules.match(comm, command) < rules.apps().size(), "a process has an application that there is");
}

void filters(std::string_view data) {
    Parts parts(data);
    ListSetting ports{parts.next(), "here"}, ips{parts.next(), "here"}, hosts{parts.next(), "here"};
    std::string host = parts.next();
    ServiceNames services({}, parts.next(), true);
    std::vector<std::string> complaints;
    NetFilter filter(ports, ips, hosts, true, services, complaints);
    filter.host(host);
    filter.address(Address::v4(htonl(0x7f000001)));
    for (unsigned port : {0U, 53U, 443U, 65535U}) filter.port(static_cast<uint16_t>(port));
    services.name(443, IPPROTO_TCP);
}

void patterns(std::string_view data) {
    Parts parts(data);
    std::string list = parts.next(), path = parts.next();
    matches_patterns(list, path);
    require(matches_wild("*", path), "* is for anything");
    require(!path.empty() || !name_cgroup(path), "no path has no name");
    if (auto named = name_cgroup(path)) require(!named->name.empty(), "what has charts has a name");
    split_table(list);
}

// A process's files, as it would like them to be.
void proc(std::string_view data) {
    Parts parts(data);
    written("1/stat", parts.next());
    written("1/cgroup", parts.next());
    written("1/cmdline", parts.next() + '\0' + parts.next());
    AppRules rules;
    std::vector<std::string> complaints;
    static const std::string own = written("own_rules", "alpha: *a* 'b*\nbeta: x*\n");
    rules.read(own, complaints);
    Cgroups cgroups("", folder(), "");
    Processes processes(std::move(rules), &cgroups, folder());
    slot thread{};
    thread.tag = thread.tgid = 1;
    Owner owner = processes.owner(thread);
    processes.counted(owner, 0, 1);
    processes.freed(owner, thread);
    processes.folded(true);
}

void containers(std::string_view data) {
    static const std::string id(64, 'a');
    Parts parts(data);
    written(fmt::format("var/lib/docker/containers/{}/config.v2.json", id), parts.next());
    written("var/lib/containers/storage/overlay-containers/containers.json", parts.next());
    written(fmt::format("run/containerd/io.containerd.runtime.v2.task/k8s.io/{}/config.json", id), parts.next());
    container_name(folder(), id);
}

void function(std::string_view data) {
    auto call = parse_function_call(std::string(data));
    if (call) require(!call->transaction.empty(), "a call has a transaction");
}

void sockets(std::string_view data) {
    std::vector<std::byte> packet(data.size());  // of its own size, so that a read beyond it is seen
    if (!data.empty()) std::memcpy(packet.data(), data.data(), data.size());
    parse_sockets(packet, 1, IPPROTO_TCP, 1,
                  [](const Socket& s) { require(s.net_namespace == 1, "where it was asked"); });
}

const std::map<std::string_view, void (*)(std::string_view)> targets{
    {"config", config}, {"rules", rules},           {"filters", filters},   {"patterns", patterns},
    {"proc", proc},     {"containers", containers}, {"function", function}, {"sockets", sockets}};
void (*target)(std::string_view) = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* wanted = std::getenv("FUZZ_TARGET");
    auto found = targets.find(wanted ? wanted : "");
    if (found == targets.end()) {
        for (const auto& [name, function] : targets) fmt::print("{}\n", name);
        std::exit(wanted ? 2 : 0);
    }
    target = found->second;
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    target({reinterpret_cast<const char*>(data), size});
    return 0;
}
