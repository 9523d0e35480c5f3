// ebpf.plugin: arguments and settings, then the plan, the test or the loop.
#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <new>
#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "base/signals.h"
#include "bpf/programs.h"
#include "check/check.h"
#include "collectors.h"
#include "guard/privileges.h"
#include "loop.h"
#include "who/app_rules.h"

namespace {

struct Options {
    std::string update_every, config_file, attach;
    std::string ticks;
    bool entry = false, returns = false, global = false, all = false;
    bool group[GROUP_COUNT] = {};
    bool watch = false, plan = false, check = false, what_counts = false, once = false;
    std::vector<std::string> unknown;
};

struct Settings {
    Config config;
    std::string file;      // that was chosen; "": there is none
    bool is_read = false;  // it could be
};

Settings read_settings(const Options& options, std::vector<std::string>& complaints) {
    ConfigFile file = options.config_file.empty() ? find_config(user_config_folders(), stock_config_folders())
                                                  : ConfigFile{options.config_file, false};
    Settings settings{.file = file.path};
    if (!file.path.empty()) try {
            read_config(file.path, file.foreign, settings.config, complaints);
            settings.is_read = true;
        } catch (const Error& e) {
            complaints.push_back(fmt::format("{}: the defaults stand", e.what()));
        }
    return settings;
}

// Once a group is named, only those named run.
void choose_groups(Config& config, const Options& options) {
    if (!options.all && std::find(std::begin(options.group), std::end(options.group), true) == std::end(options.group))
        return;
    for (size_t g = 0; g < GROUP_COUNT; g++) config.group_on[g] = options.all || options.group[g];
}

// The file first, then what the command line says of the same.
Settings configure(const Options& options) {
    std::vector<std::string> complaints;
    Settings settings = read_settings(options, complaints);
    Config& config = settings.config;
    auto set = [&](const char* key, const std::string& value, const char* where) {
        if (std::string allowed = set_key(config, key, value); !allowed.empty())
            complaints.push_back(fmt::format("{} `{}` is not understood: {}; left as it was", where, value, allowed));
    };
    // The agent always passes its interval: the file's is the more particular one.
    if (!config.update_every && !options.update_every.empty())
        set("update every", options.update_every, "the update interval");
    if (const char* agents = std::getenv("NETDATA_UPDATE_EVERY"); !config.update_every && agents)
        set("update every", agents, "NETDATA_UPDATE_EVERY");
    if (!config.update_every) config.update_every = 1;
    if (!options.attach.empty()) set("attach", options.attach, "--attach");
    if (options.entry) config.load_mode = LoadMode::Entry;
    if (options.returns) config.load_mode = LoadMode::Return;
    if (options.watch) config.viewer_program = false;  // it only draws charts
    if (options.global) config.apps = config.cgroups = false;
    choose_groups(config, options);
    for (const std::string& word : options.unknown)
        complaints.push_back(fmt::format("unknown option {}, passed over; --help lists them", word));
    log_complaints(complaints);
    return settings;
}

void print_plan(const Kernel& kernel, const Plan& plan) {
    static constexpr char line[] = "{:<25} {:<13} {:<22} {}\n";
    fmt::print(
        "A hook is a place in the kernel where something is counted; the way is how the kernel calls our program\n"
        "there. Without a way (-) it is not counted, and it is said why.\n\n");
    fmt::print(line, "hook", "way", "function or event", "program");
    for (const Attachment& a : plan.attachments)
        fmt::print(line, hook_ref(a.hook).name(), name_of(a.way), a.target, a.program());
    for (const Missing& m : plan.missing) fmt::print("{:<25} {:<13} {}\n", hook_ref(m.hook).name(), "-", m.why);
    for (const auto& [way, why] : kernel.refused) fmt::print("No {}: {}\n", name_of(way), why);
}

// Where the settings and the groups of applications come from. What could not be read has a message of its own.
void announce_files(const Settings& settings, const std::string& rules) {
    std::vector<std::string> files, rest;
    if (settings.is_read) files.push_back(settings.file);
    if (settings.file.empty()) rest.emplace_back("no ebpf.conf found: the defaults stand");
    if (rules == AppRules::built_in)
        rest.push_back("applications by " + rules);
    else if (!rules.empty())
        files.push_back(rules);
    if (!files.empty()) rest.insert(rest.begin(), fmt::format("read {}", fmt::join(files, " and ")));
    if (!rest.empty()) log(Severity::Info, "{}", fmt::join(rest, "; "));
}

std::string ways_used(const Plan& plan) {
    std::string text;
    for (Way way : {Way::Tracepoint, Way::Trampoline, Way::ProbeMulti, Way::Probe, Way::Syscalls}) {
        auto n = std::count_if(plan.attachments.begin(), plan.attachments.end(),
                               [way](const Attachment& a) { return a.way == way; });
        if (n) text += fmt::format("{}{} by {}", text.empty() ? "" : ", ", n, name_of(way));
    }
    return text;
}

struct Loss {
    std::vector<std::string> hooks;
    std::string why;  // the same for all of them
};

std::vector<Loss> losses(const Plan& plan) {
    std::vector<Loss> all;
    for (const Missing& m : plan.missing) {
        auto same = std::find_if(all.begin(), all.end(), [&](const Loss& loss) { return loss.why == m.why; });
        if (same == all.end()) same = all.insert(same, {{}, m.why});
        same->hooks.push_back(hook_ref(m.hook).name());
    }
    return all;
}

// Where no function can be hooked, one line has all that is lost by it.
void warn_of_syscalls(const Plan& plan, bool asked_for) {
    std::string lost;
    for (const auto& [hooks, why] : losses(plan))
        lost += fmt::format("{}{} ({})", lost.empty() ? "; not counted: " : ", ", fmt::join(hooks, ", "), why);
    log(Severity::Warning,
        "{}: the end of each system call is, which makes every call of every program 70 to 120 ns slower and does not "
        "see io_uring; `attach = trampoline` in ebpf.conf prevents it{}",
        asked_for ? "`attach = syscalls`: functions are not hooked" : "functions of this kernel cannot be hooked",
        lost);
}

// What is counted, how, and what is not; a line for each reason.
void announce(const Plan& plan, const Config& config) {
    log(Severity::Info, "counting: {} hooks", ways_used(plan));
    if (std::any_of(plan.attachments.begin(), plan.attachments.end(), [](auto& a) { return a.way == Way::Syscalls; }))
        return warn_of_syscalls(plan, config.attach == Attach::Syscalls);
    for (const auto& [hooks, why] : losses(plan))
        log(Severity::Warning, "{} {} not counted: {}", fmt::join(hooks, ", "), hooks.size() == 1 ? "is" : "are", why);
}

// By hand, at a terminal: what happens here and how to end it.
void explain(const Config& config) {
    if (!isatty(STDERR_FILENO)) return;
    fmt::print(
        stderr,
        "ebpf.plugin counts what programs do with the kernel and prints it for Netdata every {} s: first the charts,\n"
        "then their values. Ctrl-C ends it and leaves nothing behind. --watch shows the same to people.\n",
        config.update_every);
}

constexpr const char* no_memory = "there is not enough memory: it takes some 24 MB to start, half of it to run";

// Nothing to do for the agent: it is not to start us again.
int disable(const std::string& why) {
    log_line(Severity::Error, why);
    fmt::print("DISABLE\n");
    return 0;
}

// What was closed when we were started: nothing else may get its number. (Read only: output still fails, and says so.)
void open_standard_files() {
    int fd;
    do fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

int run(const Options& options) {
    const Settings settings = configure(options);
    const Config& config = settings.config;
    bool any = false;
    for (bool on : config.group_on) any |= on;
    bool by_hand = options.watch || options.plan || options.check || options.what_counts;
    constexpr const char* nothing = "all groups are switched off: set one of [ebpf programs] in ebpf.conf to yes";
    if (!any) return by_hand ? throw Error(nothing) : disable(nothing);

    try {
        raise_privileges();
        Kernel kernel = ask_kernel(config.btf_path);
        if (!kernel.reads_memory)
            log(Severity::Warning,
                "the kernel's lockdown (confidentiality) refuses kprobes and programs that read memory: what "
                "trampolines and typed tracepoints reach is counted, but a process that ends at once has no command "
                "line to tell its application by; lockdown=integrity on the kernel's command line lifts that");
        if (options.plan) return print_plan(kernel, make_plan(kernel, config)), 0;
        hold_signals();  // from here on there is something to clear away
        Programs programs = start_programs(kernel, config);
        if (options.check) return check_counters(config, programs) ? 0 : 1;
        if (options.what_counts) return print_what_counts(config, programs) ? 0 : 1;

        AppRules rules;
        if (config.apps) rules = load_app_rules(user_config_folders(), stock_config_folders());
        announce_files(settings, rules.source());
        announce(programs.plan(), config);
        if (std::string lacking = lacking_privileges(); !lacking.empty())
            log(Severity::Warning, "lacks {}: {}", lacking, privileges_advice());
        if (!options.watch) explain(config);
        Run run{.update_every = config.update_every, .ticks = options.once ? 1 : 0, .at_once = options.watch};
        const char* end = options.ticks.data() + options.ticks.size();
        if (auto [at, code] = std::from_chars(options.ticks.data(), end, run.ticks);
            !options.ticks.empty() && (code != std::errc() || at != end || run.ticks <= 0)) {
            log(Severity::Warning, "--ticks `{}` is not understood: a whole number from 1; running until told to end",
                options.ticks);
            run.ticks = 0;
        }
        Collectors collectors;
        const Running running{config, programs, collectors, host_root()};
        add_collectors(running, options.watch, std::move(rules));
        run_loop(collectors, run);
        return 0;
    } catch (const std::bad_alloc&) {
        if (by_hand) throw Error(no_memory);
        return disable(no_memory);
    } catch (const Error& e) {
        if (by_hand) throw;
        return disable(e.what());
    }
}

}  // namespace

int main(int argc, char** argv) try {
    open_standard_files();
    scrub_environment();
    Options o;
    CLI::App app(
        "Counts what programs do with the Linux kernel, for Netdata: small programs (eBPF) that the kernel runs at its "
        "own\n"
        "functions and events count each call. Started by the agent, or by hand as root; to look at it, use --watch.",
        "ebpf.plugin");
    app.set_version_flag("-v,--version", "ebpf.plugin " EBPF_PLUGIN_VERSION);
    app.add_option("update_every", o.update_every, "Seconds between updates (1); the configuration's value goes before")
        ->option_text("[SECONDS]");
    app.add_flag("--watch", o.watch,
                 "Show live, on this terminal, what programs do; q ends it. Into a file or a pipe: as lines");
    app.add_flag("--plan", o.plan, "Print where the kernel would be hooked, how, and what cannot be and why, and end");
    app.add_flag("--check", o.check,
                 "Test every counter against work whose amount is known, and end with status 0 if all are exact");
    app.add_flag("-e,--entry", o.entry, "Count calls and bytes (load mode entry, the default)");
    app.add_flag("-r,--return", o.returns, "Count errors too (load mode return)");
    app.add_flag("-g,--global", o.global, "The whole system only, not each application, container and service");
    app.add_flag("-a,--all", o.all, "All groups; once a group is named, only those named run");
    for (size_t g = 0; g < GROUP_COUNT; g++) app.add_flag(groups[g].option, o.group[g], groups[g].help);
    app.add_option("--config", o.config_file, "Read this file instead of ebpf.conf")->option_text("FILE");
    app.add_option("--attach", o.attach,
                   "How to hook the kernel: auto (the cheapest way that it has), trampoline, probe or syscalls")
        ->option_text("WAY");
    app.add_flag("--what-counts", o.what_counts, "Print what each kind of system call adds to each counter, and end");
    app.add_flag("--once", o.once, "End after one update");
    app.add_option("--ticks", o.ticks, "End after that many updates")->option_text("N");
    app.allow_extras();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) ? 2 : 0;
    }
    o.unknown = app.remaining();
    int status = run(o);
    check(std::fflush(stdout), "write to standard output");
    return status;
} catch (const std::exception& e) {
    log_line(Severity::Error, e.what());
    return 1;
}
