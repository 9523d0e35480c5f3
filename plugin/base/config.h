// What the user set: the key table, and how ebpf.conf is found and read.
#pragma once
#include <array>
#include <map>
#include <string>
#include <vector>
#include "base/groups.h"

enum class Attach { Auto, Trampoline, Probe, Syscalls };
enum class LoadMode { Entry, Return };
enum class ChartNames { Classic, Current };

// A list of words as it was set, and where ("file:line"), so that what is wrong with one of them can be told.
struct ListSetting {
    std::string text;
    std::string where{};
};

inline constexpr const char* all_ports = "*";
inline constexpr const char* private_networks =
    "!127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 !::1/128";
inline constexpr const char* all_hosts = "*";

struct Config {
    int update_every = 0;  // seconds; 0: the agent's, from the command line or the environment, else 1
    LoadMode load_mode = LoadMode::Entry;
    ChartNames chart_names = ChartNames::Classic;
    Attach attach = Attach::Auto;
    unsigned pid_table_size = 0;         // slots; 0: four times the threads at the start
    unsigned connection_table_size = 0;  // rows; 0: four times the sockets at the start
    std::string btf_path;                // "": the kernel's own
    bool apps = true;                    // charts for each application
    bool cgroups = true;                 // charts for each container and service
    std::string cgroups_matching;        // a simple pattern of paths that goes before our own rules; "" for none
    int obsolete_after = 600;            // seconds that charts stay when what they are about has no process any more
    bool run_time = false;               // chart the processor time of our programs and of the plugin
    int cpu_limit = 0;                   // for both, percent of one CPU; 0: none
    int memory_limit = 0;                // for the maps and the plugin, MB; 0: none
    std::array<bool, GROUP_COUNT> group_on;

    // The charts of connections.
    bool viewer_program = true;      // the switch in [ebpf programs]
    bool viewer_enabled = true;      // that of their own section
    unsigned most_dimensions = 500;  // of a chart; sent and received are two
    bool resolve_hosts = false;      // show names of hosts, not addresses
    bool resolve_services = true;    // show names of /etc/services, not ports
    ListSetting ports{all_ports}, ips{private_networks}, hostnames{all_hosts};
    std::map<uint16_t, std::string> service_names{{19999, "Netdata"}};

    Config() { group_on.fill(true); }
    bool returns() const { return load_mode == LoadMode::Return; }
    bool timed() const { return run_time || cpu_limit; }
    bool identities() const { return apps || cgroups; }
    bool viewer() const { return viewer_program && viewer_enabled; }
};

// Reads one file into `config`. Each value or key that is wrong costs itself alone, and is told in `complaints` with
// file, line, what is allowed and the nearest key. `foreign`: a file of another collector's, whose unknown keys and
// sections are none of our business. Throws if the file cannot be read.
void read_config(const std::string& file, bool foreign, Config& config, std::vector<std::string>& complaints);

// Sets a key of [global] from text. "" if it is understood, else what is allowed, and nothing is changed.
std::string set_key(Config& config, const std::string& name, const std::string& text);

struct ConfigFile {
    std::string path;  // "" if there is none
    bool foreign = false;
};

// The user's ebpf.conf, else the user's ebpf.d.conf, else the stock ebpf.conf (a stock ebpf.d.conf is another
// collector's). A file that exists is chosen even if it cannot be read: silence would be worse.
ConfigFile find_config(const std::vector<std::string>& user_folders, const std::vector<std::string>& stock_folders);

// The folders that the agent names in the environment, then those where packages put them.
std::vector<std::string> user_config_folders();
std::vector<std::string> stock_config_folders();

// Every key as it stands in the stock file, "section|key"; for the test that compares the two.
std::vector<std::string> documented_keys();
