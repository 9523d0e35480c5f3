#include "guard/privileges.h"
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>
#include "base/error.h"
#include "base/log.h"

namespace {

// As setcap(8) wants them. Permitted only: a file that also makes them effective does not start where the agent is
// bounded to fewer.
constexpr char file_capabilities[] =
    "cap_bpf,cap_perfmon,cap_sys_admin,cap_sys_resource,cap_sys_ptrace,cap_dac_read_search=p";

// cap_sys_resource is for the locked memory of kernels before 5.11, cap_sys_admin for what has its own message.
constexpr struct {
    cap_value_t capability;
    const char* for_what;
} missed_if_lacking[] = {
    {CAP_BPF, "load eBPF programs"},
    {CAP_PERFMON, "attach them to the kernel's functions and events"},
    {CAP_SYS_PTRACE, "see whose sockets they are, and processes under hidepid"},
    {CAP_DAC_READ_SEARCH, "find control groups and the names of containers"},
};

struct Free {
    void operator()(cap_t set) const { cap_free(set); }
};
using Set = std::unique_ptr<_cap_struct, Free>;

Set own() { return Set(check(cap_get_proc(), "read the own capabilities")); }

bool has(const Set& set, cap_value_t capability, cap_flag_t flag) {
    cap_flag_value_t value = CAP_CLEAR;
    return cap_get_flag(set.get(), capability, flag, &value) == 0 && value == CAP_SET;
}

// By file capabilities, say.
bool has_more_rights_than_its_user() { return getauxval(AT_SECURE); }

}  // namespace

void scrub_environment() {
    if (!has_more_rights_than_its_user()) return;
    std::vector<std::pair<std::string, std::string>> kept;
    for (char** entry = environ; *entry; entry++) {
        std::string_view text = *entry, name = text.substr(0, text.find('='));
        if (name.size() == text.size()) continue;
        if (name.starts_with("NETDATA_") || name.starts_with("LC_") || name == "LANG" || name == "TERM")
            kept.emplace_back(name, text.substr(name.size() + 1));
    }
    clearenv();
    for (const auto& [name, value] : kept) setenv(name.c_str(), value.c_str(), 1);
}

std::string host_root() {
    const char* prefix = std::getenv("NETDATA_HOST_PREFIX");
    if (!prefix || !*prefix) return "";
    if (!has_more_rights_than_its_user()) return prefix;
    std::error_code code;
    std::filesystem::path real = std::filesystem::canonical(prefix, code);
    bool is_roots = !code;
    for (auto at = real; is_roots; at = at.parent_path()) {
        struct stat about;
        is_roots = stat(at.c_str(), &about) == 0 && about.st_uid == 0 && !(about.st_mode & (S_IWGRP | S_IWOTH));
        if (!at.has_relative_path()) break;
    }
    if (is_roots) return real.has_relative_path() ? real.string() : "";
    log(Severity::Warning,
        "NETDATA_HOST_PREFIX names {}, which is not there or can be changed by others than root: passed over", prefix);
    return "";
}

void raise_privileges() {
#ifndef EBPF_PLUGIN_ALLOW_SETUID
    if (getuid() != 0 && geteuid() == 0)
        throw Error(
            fmt::format("installed setuid-root, which gives more rights than are needed: refused. "
                        "chmod u-s it and setcap {} it instead",
                        file_capabilities));
#endif
    Set set = own(), wanted(check(cap_from_text(file_capabilities), "read the list of capabilities"));
    for (cap_value_t c = 0; c <= CAP_LAST_CAP; c++)
        if (has(wanted, c, CAP_PERMITTED) && has(set, c, CAP_PERMITTED))
            cap_set_flag(set.get(), CAP_EFFECTIVE, 1, &c, CAP_SET);
    check(cap_set_proc(set.get()), "raise the capabilities");
}

std::string lacking_privileges() {
    Set set = own();
    if (has(set, CAP_SYS_ADMIN, CAP_EFFECTIVE) && has(set, CAP_DAC_OVERRIDE, CAP_EFFECTIVE)) return "";
    std::string lacking;
    for (auto [capability, for_what] : missed_if_lacking) {
        bool by_another =
            (capability == CAP_BPF || capability == CAP_PERFMON) && has(set, CAP_SYS_ADMIN, CAP_EFFECTIVE);
        if (by_another || has(set, capability, CAP_EFFECTIVE)) continue;
        std::unique_ptr<char, int (*)(void*)> name(cap_to_name(capability), cap_free);
        lacking += fmt::format("{}{} (to {})", lacking.empty() ? "" : ", ", name.get(), for_what);
    }
    return lacking;
}

std::string privileges_advice() {
    return fmt::format(
        "run as root, or give the file the rights it needs: setcap {} ebpf.plugin; where the agent is bounded to "
        "fewer, as in a container or by its unit, add them there",
        file_capabilities);
}

OwnRights::OwnRights() {
    if (getuid() == 0) return;
    before_ = own().release();
    Set set = own();
    cap_clear_flag(set.get(), CAP_EFFECTIVE);
    check(cap_set_proc(set.get()), "lay down the capabilities");
}
OwnRights::~OwnRights() {
    if (!before_) return;
    cap_set_proc(before_);
    cap_free(before_);
}

void drop_privileges(const Needs& needs) {
    std::vector<cap_value_t> kept = needs.capabilities;
    Set had = own(), left(check(cap_init(), "make a set of capabilities"));
    for (cap_value_t c : kept) {
        // Before CAP_BPF there was CAP_SYS_ADMIN alone, and a process may have been given just that.
        if (c == CAP_BPF && !has(had, c, CAP_PERMITTED)) c = CAP_SYS_ADMIN;
        if (!has(had, c, CAP_PERMITTED)) continue;
        for (cap_flag_t flag : {CAP_PERMITTED, CAP_EFFECTIVE}) cap_set_flag(left.get(), flag, 1, &c, CAP_SET);
    }
    check(cap_set_proc(left.get()), "drop capabilities");
    check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide the own memory");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up new privileges");
}
