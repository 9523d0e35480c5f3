// How ebpf.conf is found and read, and what is said of its mistakes.
#include "base/config.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <future>
#include "base/error.h"
#include "same_config.h"
#include "scratch_folder.h"

namespace {

using Complaints = std::vector<std::string>;

struct Reading {
    Config config;
    Complaints complaints;  // without the path of the file: "3: …"
};

Reading read(const std::string& text, bool foreign = false) {
    ScratchFolder folder;
    std::string file = folder.write("ebpf.conf", text);
    Reading r;
    read_config(file, foreign, r.config, r.complaints);
    for (std::string& complaint : r.complaints) {
        EXPECT_TRUE(complaint.starts_with(file + ":")) << complaint;
        complaint.erase(0, file.size() + 1);
    }
    return r;
}

template <class Case>
std::string name_of(const testing::TestParamInfo<Case>& one) {
    return one.param.name;
}

// A file that is right, and what it must come to.
struct Right {
    const char* name;
    std::string text;
    void (*change)(Config&);  // of the defaults
};
void PrintTo(const Right& right, std::ostream* out) { *out << right.name; }

void leave(Config&) {}
void set_7(Config& c) { c.update_every = 7; }
void switch_process_off(Config& c) {  // and what it governs
    for (size_t group : {process_group, file_group, vfs_group}) c.group_on[group] = false;
}
void leave_file_on(Config& c) {
    switch_process_off(c);
    c.group_on[file_group] = true;
}
void switch_network_off(Config& c) { c.group_on[socket_group] = c.viewer_program = false; }
void leave_socket_on(Config& c) { c.viewer_program = false; }
void leave_viewer_on(Config& c) { c.group_on[socket_group] = false; }
void switch_all_off(Config& c) {
    c.group_on.fill(false);
    c.viewer_program = false;
}
void switch_file_off(Config& c) { c.group_on[file_group] = false; }

// clang-format off
const Right right[] = {
    {"empty", "", leave},
    {"only_a_newline", "\n", leave},
    {"only_sections", "[global]\n[ebpf programs]\n", leave},
    {"comments", "# one\n; two\n   # three\n[global]\n#update every = x\n;update every = x\n", leave},
    {"load_mode", "[global]\nebpf load mode = return\n", [](Config& c) { c.load_mode = LoadMode::Return; }},
    {"load_mode_seed", "[global]\nload = return\n", [](Config& c) { c.load_mode = LoadMode::Return; }},
    {"load_mode_entry", "[global]\nload = return\nebpf load mode = entry\n", leave},
    {"update_every", "[global]\nupdate every = 7\n", set_7},
    {"update_every_least", "[global]\nupdate every = 1\n", [](Config& c) { c.update_every = 1; }},
    {"update_every_most", "[global]\nupdate every = 86400\n", [](Config& c) { c.update_every = 86400; }},
    {"chart_names", "[global]\nchart names = current\n", [](Config& c) { c.chart_names = ChartNames::Current; }},
    {"attach_trampoline", "[global]\nattach = trampoline\n", [](Config& c) { c.attach = Attach::Trampoline; }},
    {"attach_probe", "[global]\nattach = probe\n", [](Config& c) { c.attach = Attach::Probe; }},
    {"attach_syscalls", "[global]\nattach = syscalls\n", [](Config& c) { c.attach = Attach::Syscalls; }},
    {"attach_auto", "[global]\nattach = probe\nattach = auto\n", leave},
    {"apps", "[global]\napps = no\n", [](Config& c) { c.apps = false; }},
    {"apps_seed", "[global]\ndisable apps = yes\n", [](Config& c) { c.apps = false; }},
    {"apps_seed_off", "[global]\napps = no\ndisable apps = no\n", leave},
    {"pid_table_size", "[global]\npid table size = 64\n", [](Config& c) { c.pid_table_size = 64; }},
    {"pid_table_size_most", "[global]\npid table size = 1048576\n", [](Config& c) { c.pid_table_size = 1048576; }},
    {"btf_path", "[global]\nbtf path = /sys/kernel/btf/ with blanks\n", [](Config& c) { c.btf_path = "/sys/kernel/btf/ with blanks"; }},
    {"btf_path_empty", "[global]\nbtf path = /x\nbtf path =\n", leave},
    {"run_time_statistics", "[global]\nrun time statistics = yes\n", [](Config& c) { c.run_time = true; }},
    {"limits", "[global]\ncpu limit = 5\nmemory limit = 24\n", [](Config& c) { c.cpu_limit = 5; c.memory_limit = 24; }},
    {"values_of_any_case", "[global]\nebpf load mode = RETURN\nchart names = Current\napps = No\n",
     [](Config& c) { c.load_mode = LoadMode::Return; c.chart_names = ChartNames::Current; c.apps = false; }},
    {"keys_of_any_case", "[global]\nUpdate Every = 7\n[ebpf programs]\nFILE = no\n", [](Config& c) { c.update_every = 7; switch_file_off(c); }},
    {"later_wins", "[global]\nupdate every = 3\nupdate every = 7\n", set_7},
    {"section_again", "[global]\napps = yes\n[ebpf programs]\nfile = yes\n[global]\nupdate every = 7\n", set_7},
    {"colon", "[global]\nupdate every: 7\n", set_7},
    {"no_blanks", "[global]\nupdate every=7\n", set_7},
    {"many_blanks", "[global]\n\tupdate every \t =\t 7 \t\n", set_7},
    {"indented", "  [global]\n    update every = 7\n    apps = no\n", [](Config& c) { c.update_every = 7; c.apps = false; }},
    {"deeper_and_deeper", "[global]\n update every = 3\n  update every = 5\n   update every = 7\n", set_7},
    {"carriage_returns", "[global]\r\nupdate every = 7\r\nchart names = current\r\n\r\n", [](Config& c) { c.update_every = 7; c.chart_names = ChartNames::Current; }},
    {"byte_order_mark", "\xEF\xBB\xBF[global]\nupdate every = 7\n", set_7},
    {"no_newline_at_the_end", "[global]\nupdate every = 7", set_7},
    {"comment_after_a_value", "[global]\nupdate every = 7 ; seconds\n", set_7},
    {"blanks_in_the_section", "[ global ]\nupdate every = 7\n", set_7},
    {"bool_yes", "[global]\nrun time statistics = Yes\n", [](Config& c) { c.run_time = true; }},
    {"bool_true", "[global]\nrun time statistics = true\n", [](Config& c) { c.run_time = true; }},
    {"bool_on", "[global]\nrun time statistics = ON\n", [](Config& c) { c.run_time = true; }},
    {"bool_1", "[global]\nrun time statistics = 1\n", [](Config& c) { c.run_time = true; }},
    {"bool_no", "[ebpf programs]\nfile = no\n", switch_file_off},
    {"bool_false", "[ebpf programs]\nfile = False\n", switch_file_off},
    {"bool_off", "[ebpf programs]\nfile = off\n", switch_file_off},
    {"bool_0", "[ebpf programs]\nfile = 0\n", switch_file_off},
    {"fd_is_file", "[ebpf programs]\nfd = no\n", switch_file_off},
    {"vfs_off", "[ebpf programs]\nvfs = no\n", [](Config& c) { c.group_on[vfs_group] = false; }},
    {"process_governs_files", "[ebpf programs]\nprocess = no\n", switch_process_off},
    {"process_and_own_key_after", "[ebpf programs]\nprocess = no\nfile = yes\n", leave_file_on},
    {"process_and_own_key_before", "[ebpf programs]\nfile = yes\nprocess = no\n", leave_file_on},
    {"process_and_own_key_by_another_name", "[ebpf programs]\nfd = yes\nprocess = no\n", leave_file_on},
    {"process_on_own_key_off_before", "[ebpf programs]\nfile = no\nprocess = yes\n", switch_file_off},
    {"process_on_own_key_off_after", "[ebpf programs]\nprocess = yes\nfile = no\n", switch_file_off},
    {"process_twice", "[ebpf programs]\nprocess = no\nprocess = yes\n", leave},
    {"viewer_seed", "[network viewer]\nmaximum dimensions = 20\nresolve hostname ips = yes\nports = 1-1024 !145 !domain\nhostnames = !example.com\nips = ! fc00::/7\n",
     [](Config& c) { c.most_dimensions = 20; c.resolve_hosts = true; c.ports.text = "1-1024 !145 !domain"; c.hostnames.text = "!example.com"; c.ips.text = "! fc00::/7"; }},
    {"viewer_later", "[network connections]\nresolve hostnames = yes\nresolve service names = no\nenabled = no\nmaximum dimensions = 2\nports = *\n",
     [](Config& c) { c.resolve_hosts = true; c.resolve_services = false; c.viewer_enabled = false; c.most_dimensions = 2; }},
    {"viewer_later_of_two_names_wins", "[network connections]\nports = 1\n[network viewer]\nports = 2\n", [](Config& c) { c.ports.text = "2"; }},
    {"viewer_list_empty", "[network viewer]\nips =\n", [](Config& c) { c.ips.text = ""; }},
    {"viewer_list_as_it_stands", "[network viewer]\nports =  80\t\t443  \n", [](Config& c) { c.ports.text = "80\t\t443"; }},
    {"viewer_list_with_a_remark", "[network viewer]\nports = 80 443 ; the web\n", [](Config& c) { c.ports.text = "80 443"; }},
    {"viewer_most_dimensions", "[network viewer]\nmaximum dimensions = 100000\n", [](Config& c) { c.most_dimensions = 100000; }},
    {"network_viewer_governs_both", "[ebpf programs]\nnetwork viewer = no\n", switch_network_off},
    {"network_viewer_and_socket_after", "[ebpf programs]\nnetwork viewer = no\nsocket = yes\n", leave_socket_on},
    {"network_viewer_and_socket_before", "[ebpf programs]\nsocket = yes\nnetwork viewer = no\n", leave_socket_on},
    {"network_viewer_and_connections_before", "[ebpf programs]\nnetwork connections = yes\nnetwork viewer = no\n", leave_viewer_on},
    {"network_viewer_and_connections_of_1_25", "[ebpf programs]\nnetwork viewer = no\nnetwork connection monitoring = yes\n", leave_viewer_on},
    {"network_viewer_and_both", "[ebpf programs]\nsocket = yes\nnetwork viewer = no\nnetwork connections = yes\n", leave},
    {"network_viewer_on_socket_off", "[ebpf programs]\nsocket = no\nnetwork viewer = yes\n", leave_viewer_on},
    {"network_viewer_twice", "[ebpf programs]\nnetwork viewer = no\nnetwork viewer = yes\n", leave},
    {"socket_off_leaves_the_viewer", "[ebpf programs]\nsocket = no\n", leave_viewer_on},
    {"process_leaves_the_network", "[ebpf programs]\nprocess = no\nsocket = yes\n", switch_process_off},
    {"program_viewer_1_25", "[ebpf programs]\nnetwork connection monitoring = no\n", [](Config& c) { c.viewer_program = false; }},
    {"program_viewer_1_27", "[ebpf programs]\nnetwork connections = no\n", [](Config& c) { c.viewer_program = false; }},
    {"program_viewer_own_key_after", "[ebpf programs]\nnetwork viewer = yes\nnetwork connections = no\n", [](Config& c) { c.viewer_program = false; }},
    {"program_viewer_own_key_before", "[ebpf programs]\nnetwork connections = no\nnetwork viewer = yes\n", [](Config& c) { c.viewer_program = false; }},
    {"program_viewer_both_own_keys", "[ebpf programs]\nnetwork connections = no\nnetwork connection monitoring = yes\n", leave},
    {"program_process_leaves_the_viewer", "[ebpf programs]\nprocess = no\nnetwork connections = yes\n", switch_process_off},
    {"service_name", "[service name]\n9200 = Elastic Search\n1 = x\n65535 = last\n",
     [](Config& c) { c.service_names[9200] = "Elastic Search"; c.service_names[1] = "x"; c.service_names[65535] = "last"; }},
    {"service_name_of_netdata", "[service name]\n19999 = agent\n", [](Config& c) { c.service_names[19999] = "agent"; }},
    {"service_name_of_other_letters", "[service name]\n80 = W\xC3\xA9" "b\n", [](Config& c) { c.service_names[80] = "W\xC3\xA9" "b"; }},
    {"everything_off", "[ebpf programs]\nprocess = no\nnetwork viewer = no\n", switch_all_off},
};
// clang-format on

class RightFiles : public testing::TestWithParam<Right> {};
INSTANTIATE_TEST_SUITE_P(Config, RightFiles, testing::ValuesIn(right), name_of<Right>);

TEST_P(RightFiles, AreReadWithoutAComplaint) {
    Reading r = read(GetParam().text);
    Config wanted;
    GetParam().change(wanted);
    EXPECT_EQ(r.complaints, Complaints());
    expect_same(r.config, wanted);
}

// A file with a mistake, what is said of it, and what is left of the rest.
struct Wrong {
    const char* name;
    std::string text;
    Complaints complaints;
    void (*change)(Config&) = leave;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

// clang-format off
const Wrong wrong[] = {
    {"load_mode", "[global]\nebpf load mode = dev\n",
     {"2: `ebpf load mode` = `dev` is not understood: entry or return; the default stands"}},
    {"attach", "\n\n[global]\n\n  attach = kprobe\n",
     {"5: `attach` = `kprobe` is not understood: auto, trampoline, probe or syscalls; the default stands"}},
    {"chart_names", "[global]\nchart names =\n",
     {"2: `chart names` = `` is not understood: classic or current; the default stands"}},
    {"apps", "[global]\napps = maybe\n", {"2: `apps` = `maybe` is not understood: yes or no; the default stands"}},
    {"number_zero", "[global]\nupdate every = 0\n", {"2: `update every` = `0` is not understood: a whole number from 1 to 86400; the default stands"}},
    {"number_too_great", "[global]\nupdate every = 86401\n", {"2: `update every` = `86401` is not understood: a whole number from 1 to 86400; the default stands"}},
    {"number_below_zero", "[global]\npid table size = -1\n", {"2: `pid table size` = `-1` is not understood: a whole number from 64 to 1048576; the default stands"}},
    {"number_too_small", "[global]\npid table size = 63\n", {"2: `pid table size` = `63` is not understood: a whole number from 64 to 1048576; the default stands"}},
    {"number_beyond_all", "[global]\nupdate every = 99999999999999999999\n", {"2: `update every` = `99999999999999999999` is not understood: a whole number from 1 to 86400; the default stands"}},
    {"number_with_unit", "[global]\nupdate every = 5s\n", {"2: `update every` = `5s` is not understood: a whole number from 1 to 86400; the default stands"}},
    {"number_with_fraction", "[global]\nupdate every = 1.5\n", {"2: `update every` = `1.5` is not understood: a whole number from 1 to 86400; the default stands"}},
    {"number_missing", "[global]\nupdate every =\n", {"2: `update every` = `` is not understood: a whole number from 1 to 86400; the default stands"}},
    {"goes_on", "[global]\napps = maybe\nupdate every = 7\n", {"2: `apps` = `maybe` is not understood: yes or no; the default stands"}, set_7},
    {"each_is_told", "[global]\napps = maybe\nattach = x\n",
     {"2: `apps` = `maybe` is not understood: yes or no; the default stands",
      "3: `attach` = `x` is not understood: auto, trampoline, probe or syscalls; the default stands"}},
    {"key", "[global]\nupdat evry = 5\n", {"2: unknown key `updat evry` in [global], passed over; the nearest is `update every`"}},
    {"key_of_another_section", "[global]\nvfs = no\n", {"2: unknown key `vfs` in [global], passed over; the nearest is `[ebpf programs] vfs`"}},
    {"key_of_the_other_section", "[ebpf programs]\nattach = probe\n", {"2: unknown key `attach` in [ebpf programs], passed over; the nearest is `[global] attach`"}},
    {"program_key", "[ebpf programs]\nproces = no\n", {"2: unknown key `proces` in [ebpf programs], passed over; the nearest is `process`"}},
    {"program_value", "[ebpf programs]\nfile = nope\n", {"2: `file` = `nope` is not understood: yes or no; left at yes"}},
    {"program_value_after_another", "[ebpf programs]\nfile = no\nfile = nope\n", {"3: `file` = `nope` is not understood: yes or no; left at no"}, switch_file_off},
    {"wrong_own_key_does_not_count", "[ebpf programs]\nfile = nope\nprocess = no\n", {"2: `file` = `nope` is not understood: yes or no; left at yes"}, switch_process_off},
    {"section", "[globl]\nupdate every = 5\napps = no\n[global]\nupdate every = 7\n",
     {"2: unknown section [globl], passed over; there are [global], [ebpf programs], [network viewer] and [service name]"}, set_7},
    {"viewer_dimensions_too_few", "[network viewer]\nmaximum dimensions = 1\n", {"2: `maximum dimensions` = `1` is not understood: a whole number from 2 to 100000; the default stands"}},
    {"viewer_dimensions_too_many", "[network connections]\nmaximum dimensions = 100001\n", {"2: `maximum dimensions` = `100001` is not understood: a whole number from 2 to 100000; the default stands"}},
    {"viewer_bool", "[network viewer]\nresolve hostname ips = sometimes\nresolve service names = 2\nenabled =\n",
     {"2: `resolve hostname ips` = `sometimes` is not understood: yes or no; the default stands",
      "3: `resolve service names` = `2` is not understood: yes or no; the default stands",
      "4: `enabled` = `` is not understood: yes or no; the default stands"}},
    {"viewer_key", "[network viewer]\nport = 80\n", {"2: unknown key `port` in [network viewer], passed over; the nearest is `ports`"}},
    {"viewer_key_by_its_later_name", "[network connections]\nhostname = x\n", {"2: unknown key `hostname` in [network connections], passed over; the nearest is `hostnames`"}},
    {"viewer_key_elsewhere", "[global]\nips = *\n", {"2: unknown key `ips` in [global], passed over; the nearest is `[network viewer] ips`"}},
    {"program_viewer_value", "[ebpf programs]\nnetwork viewer = nope\n", {"2: `network viewer` = `nope` is not understood: yes or no; left at yes"}},
    {"wrong_socket_does_not_count", "[ebpf programs]\nsocket = nope\nnetwork viewer = no\n",
     {"2: `socket` = `nope` is not understood: yes or no; left at yes"}, switch_network_off},
    {"program_viewer_key", "[ebpf programs]\nnetwork viewr = no\n", {"2: unknown key `network viewr` in [ebpf programs], passed over; the nearest is `network viewer`"}},
    {"service_port", "[service name]\nhttp = web\n0 = x\n65536 = y\n80 = z\n",
     {"2: `http` in [service name] is not understood: a port, a whole number from 1 to 65535; passed over",
      "3: `0` in [service name] is not understood: a port, a whole number from 1 to 65535; passed over",
      "4: `65536` in [service name] is not understood: a port, a whole number from 1 to 65535; passed over"},
     [](Config& c) { c.service_names[80] = "z"; }},
    {"service_text", "[service name]\n19999 =\n80 = it's\n81 = \"x\"\n82 = a\\b\n83 = a\tb\n",
     {"2: `19999` = `` is not understood: a name of at most 60 bytes without quotes and backslashes; passed over",
      "3: `80` = `it's` is not understood: a name of at most 60 bytes without quotes and backslashes; passed over",
      "4: `81` = `\"x\"` is not understood: a name of at most 60 bytes without quotes and backslashes; passed over",
      "5: `82` = `a\\b` is not understood: a name of at most 60 bytes without quotes and backslashes; passed over",
      "6: `83` = `a\tb` is not understood: a name of at most 60 bytes without quotes and backslashes; passed over"}},
    {"service_text_too_long", "[service name]\n80 = " + std::string(61, 'x') + "\n81 = " + std::string(60, 'x') + "\n",
     {"2: `80` = `" + std::string(61, 'x') + "` is not understood: a name of at most 60 bytes without quotes and backslashes; passed over"},
     [](Config& c) { c.service_names[81] = std::string(60, 'x'); }},
    {"no_section", "update every = 5\n", {"1: unknown section [], passed over; there are [global], [ebpf programs], [network viewer] and [service name]"}},
    {"no_key_and_value", "[global]\nupdate every\napps = no\n", {"2: neither a [section] nor `key = value`, passed over"}, [](Config& c) { c.apps = false; }},
    {"section_not_closed", "[global\nupdate every = 5\n", {"2: unknown section [], passed over; there are [global], [ebpf programs], [network viewer] and [service name]", "1: neither a [section] nor `key = value`, passed over"}},
    {"line_number_after_comments", "# one\n; two\n\n   \n[global]\r\n\t# three\r\napps = maybe\r\n",
     {"7: `apps` = `maybe` is not understood: yes or no; the default stands"}},
    {"line_number_without_newline", "[global]\napps = maybe", {"2: `apps` = `maybe` is not understood: yes or no; the default stands"}},
};
// clang-format on

class WrongFiles : public testing::TestWithParam<Wrong> {};
INSTANTIATE_TEST_SUITE_P(Config, WrongFiles, testing::ValuesIn(wrong), name_of<Wrong>);

TEST_P(WrongFiles, CostWhatIsWrongAloneAndAreToldOf) {
    Reading r = read(GetParam().text);
    Config wanted;
    GetParam().change(wanted);
    EXPECT_EQ(r.complaints, GetParam().complaints);
    expect_same(r.config, wanted);
}

// The lines around one that holds what no line should are read as ever, under their own numbers.
TEST(ConfigLines, PassOverAnOverlongLineAndGoOn) {
    for (size_t length : {70'000u, 1'000'000u}) {
        Reading r = read("[global]\nbtf path = /" + std::string(length, 'x') + "\nupdate every = 7\napps = maybe\n");
        ASSERT_EQ(r.complaints.size(), 2u);
        EXPECT_EQ(r.complaints[0], "2: the line is longer than 65536 bytes, passed over");
        EXPECT_EQ(r.complaints[1], "4: `apps` = `maybe` is not understood: yes or no; the default stands");
        EXPECT_EQ(r.config.update_every, 7);
        ASSERT_EQ(r.config.btf_path, "") << "half a path is no path";
    }
}

TEST(ConfigLines, PassOverALongLineWithoutAName) {
    for (const std::string& line : {std::string(300, 'x'), std::string(300, 'x') + " = 1"}) {
        Reading r = read("[global]\n" + line + "\nupdate every = 7\n");
        ASSERT_EQ(r.complaints.size(), 1u);
        EXPECT_TRUE(r.complaints[0].starts_with("2: the line is longer than ")) << r.complaints[0];
        EXPECT_EQ(r.config.update_every, 7);
    }
}

TEST(ConfigLines, ReadALongListWhole) {
    std::string list = "10.0.0.1";
    for (int i = 2; i < 1000; i++) list += fmt::format(" 10.0.{}.{}", i / 256, i % 256);
    for (const char* end : {"\n", "\r\n", "", " ; that is all\n", "\t;\t; all\n"}) {
        Reading r = read("[network viewer]\n  ips = " + list + end);
        EXPECT_EQ(r.complaints, Complaints());
        EXPECT_EQ(r.config.ips.text, list);
    }
    Reading r = read("[network viewer]\nips = " + list + "\nports = 80\nhostnames =\n");
    EXPECT_EQ(r.config.ips.text, list);
    EXPECT_EQ(r.config.ports.text, "80") << "the line after it";
    EXPECT_EQ(r.config.hostnames.text, "");
}

TEST(ConfigLines, ReadOneOfAnyLength) {
    for (size_t length = 150; length < 250; length++) {  // whatever inih's limit is
        std::string path(length, 'x');
        for (const char* end : {"\n", "\r\n", ""}) {
            Reading r = read("[global]\nbtf path = " + path + end);
            EXPECT_EQ(r.complaints, Complaints()) << length;
            ASSERT_EQ(r.config.btf_path, path);
        }
    }
}

// What is wrong with a word of a list is told where the list is taken apart; so it comes with its place.
TEST(ConfigLines, TellWhereAListStands) {
    ScratchFolder folder;
    std::string file = folder.write("ebpf.conf", "[network viewer]\nports = 80\n\nips = *\n");
    Config config;
    Complaints complaints;
    read_config(file, false, config, complaints);
    EXPECT_EQ(config.ports.where, file + ":2");
    EXPECT_EQ(config.ips.where, file + ":4");
    EXPECT_EQ(config.hostnames.where, "");
}

TEST(Viewer, IsOnUnlessEitherSwitchIsOff) {
    EXPECT_TRUE(Config().viewer());
    EXPECT_FALSE(read("[network viewer]\nenabled = no\n[ebpf programs]\nnetwork viewer = yes\n").config.viewer());
    EXPECT_FALSE(read("[ebpf programs]\nnetwork viewer = no\n[network viewer]\nenabled = yes\n").config.viewer());
}

TEST(ConfigLines, SayNothingOfALongComment) {
    for (const char* mark : {"#", ";", "   # "})
        EXPECT_EQ(read(mark + std::string(10'000, 'x') + "\n[global]\nupdate every = 7\n").complaints, Complaints());
}

TEST(ConfigLines, SurviveZeroBytes) {
    using namespace std::string_literals;
    for (const std::string& dirt :
         {"\0\n"s, "app\0s = no\n"s, "\0# comment\n"s, "update every\0 = 7\n"s, "attach = \0\n"s}) {
        Reading r = read("[global]\n" + dirt + "update every = 7\nattach = x\n");
        EXPECT_EQ(r.config.update_every, 7) << "the line after it";
        EXPECT_EQ(
            std::count(r.complaints.begin(), r.complaints.end(),
                       "4: `attach` = `x` is not understood: auto, trampoline, probe or syscalls; the default stands"),
            1);
        EXPECT_TRUE(r.config.apps) << "that is another key";
    }
}

TEST(ConfigLines, SurviveAnyBytes) {
    std::string text = "[global]\nupdate every = 7\n";
    for (int i = 0; i < 5000; i++) text += static_cast<char>(i * i * 31 + i / 7);
    Reading r = read(text + "\n[global]\napps = no\n");
    EXPECT_EQ(r.config.update_every, 7);
    EXPECT_FALSE(r.config.apps);
}

// Another collector's file: its keys are none of our business, but what it says of ours counts.
TEST(ForeignConfig, IsReadForOurKeysOnly) {
    Reading r = read(
        "[global]\n"
        "    ebpf load mode = return\n"
        "    apps = no\n"
        "    cgroups = no\n"
        "    update every = 10\n"
        "    pid table size = 32768\n"
        "    btf path = /sys/kernel/btf/\n"
        "    maps per core = yes\n"
        "    lifetime = 300\n"
        "[ebpf programs]\n"
        "    cachestat = no\n"
        "    fd = no\n"
        "    network connections = no\n"
        "    socket = no\n"
        "[network connections]\n"
        "    maximum dimensions = 50\n"
        "    bandwidth table size = " +
            std::string(300, '1') +
            "\n"
            "[ipc]\n"
            "    integration = disabled\n" +
            std::string(300, 'x') + "\n",
        true);
    EXPECT_EQ(r.complaints, Complaints());
    Config wanted;
    wanted.load_mode = LoadMode::Return;
    wanted.apps = false;
    wanted.cgroups = false;
    wanted.update_every = 10;
    wanted.pid_table_size = 32768;
    wanted.btf_path = "/sys/kernel/btf/";
    wanted.group_on[file_group] = wanted.group_on[socket_group] = false;
    wanted.viewer_program = false;
    wanted.most_dimensions = 50;
    expect_same(r.config, wanted);
}

TEST(ForeignConfig, IsToldOfWrongValuesOfOurKeys) {
    EXPECT_EQ(
        read("[global]\nupdate every = soon\n", true).complaints,
        Complaints{"2: `update every` = `soon` is not understood: a whole number from 1 to 86400; the default stands"});
    EXPECT_EQ(read("[ebpf programs]\nvfs = soon\n", true).complaints,
              Complaints{"2: `vfs` = `soon` is not understood: yes or no; left at yes"});
}

void expect_unreadable(const std::string& file, const std::string& why) {
    Config config;
    Complaints complaints;
    try {
        read_config(file, false, config, complaints);
        FAIL() << file << " was read";
    } catch (const Error& e) {
        EXPECT_EQ(e.what(), "read " + file + ": " + why);
    }
    EXPECT_EQ(complaints, Complaints());
    expect_same(config, Config());
}

TEST(UnreadableConfig, IsNamed) {
    ScratchFolder folder;
    expect_unreadable(folder / "none", "No such file or directory");
    expect_unreadable(folder / "", "it is not a file");
    ASSERT_EQ(symlink("circle", (folder / "circle").c_str()), 0);
    expect_unreadable(folder / "circle", "Too many levels of symbolic links");
    expect_unreadable("/dev/null", "it is not a file");
    expect_unreadable("/proc/self/mem", "Input/output error");
}

TEST(UnreadableConfig, IsNamedWhenItMayNotBeRead) {
    ScratchFolder folder;
    std::string file = folder.write("ebpf.conf", "[global]\n");
    ASSERT_EQ(chmod(file.c_str(), 0), 0);
    uid_t self = geteuid();
    if (self == 0) ASSERT_EQ(seteuid(65534), 0);
    expect_unreadable(file, "Permission denied");
    if (self == 0) ASSERT_EQ(seteuid(self), 0);
}

TEST(UnreadableConfig, IsNotWaitedFor) {
    ScratchFolder folder;
    std::string fifo = folder / "ebpf.conf";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    auto reading = std::async(std::launch::async, expect_unreadable, fifo, "it is not a file");
    if (reading.wait_for(std::chrono::seconds(2)) == std::future_status::ready) return;
    ADD_FAILURE() << "it waits for somebody to write";
    close(open(fifo.c_str(), O_WRONLY | O_NONBLOCK));
}

TEST(SetKey, SetsWhatIsUnderstood) {
    Config config, wanted;
    EXPECT_EQ(set_key(config, "attach", "probe"), "");
    EXPECT_EQ(set_key(config, "update every", "5"), "");
    wanted.attach = Attach::Probe;
    wanted.update_every = 5;
    expect_same(config, wanted);
}

TEST(SetKey, AnswersWhatIsAllowedAndChangesNothing) {
    Config config;
    EXPECT_EQ(set_key(config, "attach", "magic"), "auto, trampoline, probe or syscalls");
    EXPECT_EQ(set_key(config, "update every", "0"), "a whole number from 1 to 86400");
    EXPECT_EQ(set_key(config, "apps", ""), "yes or no");
    expect_same(config, Config());
    EXPECT_THROW(set_key(config, "no such key", "1"), std::out_of_range);
}

// Where the file is looked for, each case with the files that there are.
struct Found {
    const char* name;
    std::vector<std::string> there;
    std::string chosen;
    bool foreign = false;
};
void PrintTo(const Found& found, std::ostream* out) { *out << found.name; }

const Found found[] = {
    {"nothing", {}, ""},
    {"users_first", {"user/ebpf.conf", "user/ebpf.d.conf", "stock/ebpf.conf", "stock/ebpf.d.conf"}, "user/ebpf.conf"},
    {"users_foreign", {"user/ebpf.d.conf", "stock/ebpf.conf", "stock/ebpf.d.conf"}, "user/ebpf.d.conf", true},
    {"stock", {"stock/ebpf.conf", "stock/ebpf.d.conf"}, "stock/ebpf.conf"},
    {"stock_foreign_does_not_count", {"stock/ebpf.d.conf"}, ""},
    {"first_user_folder", {"user/ebpf.conf", "user2/ebpf.conf"}, "user/ebpf.conf"},
    {"second_user_folder", {"user2/ebpf.conf", "stock/ebpf.conf"}, "user2/ebpf.conf"},
    {"first_stock_folder", {"stock/ebpf.conf", "stock2/ebpf.conf"}, "stock/ebpf.conf"},
    {"second_stock_folder", {"stock2/ebpf.conf", "stock/ebpf.d.conf"}, "stock2/ebpf.conf"},
    {"a_folder_of_that_name", {"user/ebpf.conf/x", "stock/ebpf.conf"}, "user/ebpf.conf"},
};

class FindConfig : public testing::TestWithParam<Found> {};
INSTANTIATE_TEST_SUITE_P(Config, FindConfig, testing::ValuesIn(found), name_of<Found>);

TEST_P(FindConfig, ChoosesTheUsersThenTheStock) {
    ScratchFolder folder;
    for (const std::string& file : GetParam().there) folder.write(file, "");
    ConfigFile file = find_config({folder / "user", folder / "user2"}, {folder / "stock", folder / "stock2"});
    EXPECT_EQ(file.path, GetParam().chosen.empty() ? "" : folder / GetParam().chosen);
    EXPECT_EQ(file.foreign, GetParam().foreign);
}

TEST(FindConfig, ChoosesAFileThatCannotBeRead) {
    ScratchFolder folder;
    folder.write("stock/ebpf.conf", "");
    folder.write("user/other", "");
    ASSERT_EQ(symlink("ebpf.conf", (folder / "user/ebpf.conf").c_str()), 0);
    EXPECT_EQ(find_config({folder / "user"}, {folder / "stock"}).path, folder / "user/ebpf.conf");
}

TEST(FindConfig, PassesOverAFolderThatIsAFile) {
    ScratchFolder folder;
    folder.write("user", "");
    folder.write("stock/ebpf.conf", "");
    EXPECT_EQ(find_config({folder / "user"}, {folder / "stock"}).path, folder / "stock/ebpf.conf");
}

TEST(ConfigFolders, AreThoseOfTheAgentThenThoseOfThePackages) {
    for (const char* variable : {"NETDATA_USER_CONFIG_DIR", "NETDATA_CONFIG_DIR", "NETDATA_STOCK_CONFIG_DIR"})
        unsetenv(variable);
    std::vector<std::string> user = user_config_folders(), stock = stock_config_folders();
    EXPECT_EQ(user.front(), "/etc/netdata");
    EXPECT_EQ(stock.front(), "/usr/lib/netdata/conf.d");

    setenv("NETDATA_USER_CONFIG_DIR", "/user", 1);
    setenv("NETDATA_STOCK_CONFIG_DIR", "/stock", 1);
    user.insert(user.begin(), "/user");
    stock.insert(stock.begin(), "/stock");
    EXPECT_EQ(user_config_folders(), user);
    EXPECT_EQ(stock_config_folders(), stock);

    setenv("NETDATA_USER_CONFIG_DIR", "", 1);  // as good as not set
    setenv("NETDATA_STOCK_CONFIG_DIR", "", 1);
    user.erase(user.begin());
    stock.erase(stock.begin());
    EXPECT_EQ(user_config_folders(), user);
    EXPECT_EQ(stock_config_folders(), stock);
    for (const char* variable : {"NETDATA_USER_CONFIG_DIR", "NETDATA_STOCK_CONFIG_DIR"}) unsetenv(variable);
}

TEST(DocumentedKeys, AreOneSpellingOfEach) {
    std::vector<std::string> keys = documented_keys();
    auto has = [&](const std::string& key) { return std::count(keys.begin(), keys.end(), key); };
    EXPECT_EQ(has("global|apps"), 1);
    EXPECT_EQ(has("global|disable apps"), 0);
    EXPECT_EQ(has("ebpf programs|file"), 1);
    EXPECT_EQ(has("ebpf programs|fd"), 0);
    EXPECT_EQ(has("network viewer|resolve hostname ips"), 1);
    EXPECT_EQ(has("network viewer|resolve hostnames"), 0);
    EXPECT_EQ(has("network connections|ports"), 0);
    EXPECT_EQ(has("ebpf programs|network connection monitoring"), 0);
    EXPECT_EQ(has("service name|19999"), 1);
}

}  // namespace
