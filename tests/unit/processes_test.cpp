// For whom processes count: lives that the kernel side tells of, over a /proc of our own.
#include "who/processes.h"
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include "scratch_folder.h"

namespace {

constexpr int reads = int{vfs_base} + int{vfs_read_calls};

class Lives : public testing::Test {
protected:
    void running(uint32_t tgid, uint32_t parent, const std::string& comm, const std::string& command = "") {
        std::string path = folder / "";
        path += std::to_string(tgid);
        std::filesystem::create_directories(path);
        std::ofstream(path + "/stat") << tgid << " (" << comm << ") S " << parent << " 1 1 0 -1 4194304\n";
        std::ofstream(path + "/cmdline") << command;
    }
    Processes& processes(const std::string& text) {
        AppRules rules;
        std::vector<std::string> complaints;
        rules.read(rules_folder.write("apps_groups.conf", text), complaints);
        EXPECT_EQ(complaints, std::vector<std::string>());
        return all.emplace(std::move(rules), nullptr, (folder / ""));
    }
    static slot make(uint32_t tid, uint32_t tgid, const std::string& comm, uint32_t life = 0, uint32_t parent = 0) {
        static uint64_t time = 0;
        slot s{};
        s.tag = tid, s.tgid = tgid, s.life = life, s.parent = parent, s.since = ++time;
        comm.copy(s.comm, sizeof s.comm - 1);
        return s;
    }
    // One event of that slot: for whom it counts.
    std::string app_of(const slot& s) {
        Owner owner = all->owner(s);
        last = owner;
        return count(owner);
    }
    std::string count(Owner owner) {
        std::vector<uint64_t> before;
        for (Member& app : all->apps()) before.push_back(app.totals[reads]);
        all->counted(owner, reads, 1);
        for (size_t i = 0; i < before.size(); i++)
            if (all->apps()[i].totals[reads] != before[i]) return all->apps()[i].name;
        return "nobody";
    }
    void ends(Owner owner, slot s) {
        s.life |= LIFE_EXITED;
        s.tag |= ROW_RETIRED;
        all->freed(owner, s);
    }
    unsigned processes_of(const std::string& name) {
        for (Member& app : all->apps())
            if (app.name == name) return app.processes;
        return 0;
    }
    void executes(const slot& s, const std::string& command) {
        executed record{};
        record.since = s.since;
        record.command_bytes = static_cast<uint32_t>(command.size());
        command.copy(record.command, COMMAND_BYTES);
        all->executes(record);
    }

    ScratchFolder folder, rules_folder;
    std::optional<Processes> all;
    Owner last;
};

TEST_F(Lives, BeginBeforeThePluginDoes) {
    running(1, 0, "systemd");
    running(2, 0, "kthreadd");
    running(10, 1, "nginx: (odd) name");
    running(11, 10, "worker");
    running(20, 1, "java", std::string("java\0-jar\0big.jar\0", 18));
    running(30, 1, "su");
    running(31, 30, "redis");
    processes("web: 'nginx: (odd) name'\nsearch: *big.jar*\ndb: redis\ninit: systemd\n");
    EXPECT_EQ(app_of(make(10, 10, "nginx: (odd) name")), "web");
    EXPECT_EQ(app_of(make(11, 11, "worker")), "web") << "from the parent";
    EXPECT_EQ(app_of(make(21, 20, "GC Thread#0")), "search") << "a thread is its process's, whatever its name";
    EXPECT_EQ(app_of(make(30, 30, "su")), "db") << "from the child";
    EXPECT_EQ(app_of(make(1, 1, "systemd")), "other");
    EXPECT_EQ(processes_of("web"), 2u);
    EXPECT_EQ(processes_of("db"), 2u);
}

TEST_F(Lives, AreInheritedAtTheStart) {
    running(10, 1, "nginx");
    processes("web: nginx\n");
    EXPECT_EQ(app_of(make(11, 11, "nginx", LIFE_BORN, 10)), "web");
    EXPECT_EQ(app_of(make(12, 12, "nginx", LIFE_BORN, 11)), "web");
    ends(last, make(12, 12, "nginx"));
    EXPECT_EQ(processes_of("web"), 2u);
    EXPECT_EQ(app_of(make(13, 13, "sh", LIFE_BORN | LIFE_EXITED, 1)), "other");
}

TEST_F(Lives, BecomeAnothersByAnExec) {
    running(10, 1, "bash");
    processes("shell: bash\ndb: redis\nbig: *huge.jar*\n");
    EXPECT_EQ(app_of(make(11, 11, "bash", LIFE_BORN, 10)), "shell");
    Owner before = last;
    EXPECT_EQ(app_of(make(11, 11, "redis", LIFE_EXECUTED, 10)), "db");
    EXPECT_EQ(count(before), "shell") << "what it did before, folded after";
    EXPECT_EQ(app_of(make(11, 11, "true", LIFE_EXECUTED, 10)), "shell") << "no rule: its parent's";
    slot java = make(11, 11, "java", LIFE_EXECUTED, 10);
    executes(java, std::string("java\0huge.jar\0", 14));
    EXPECT_EQ(app_of(java), "big") << "gone from /proc, but its command line was told";
}

TEST_F(Lives, OutliveTheirParents) {
    running(10, 1, "parent");
    processes("p: parent\n");
    slot middle = make(11, 11, "parent", LIFE_BORN, 10);
    Owner owner = all->owner(middle);
    slot daemon = make(12, 12, "parent", LIFE_BORN, 11);
    ends(owner, middle);
    EXPECT_EQ(app_of(daemon), "p") << "its parent's end was folded in the same tick";
    all->folded(false);
    all->folded(false);
    EXPECT_EQ(app_of(make(12, 12, "daemon", LIFE_EXECUTED, 11)), "other") << "there is none any more to inherit from";
}

TEST_F(Lives, DoNotMixWhenAnIdIsUsedAgain) {
    processes("a: one\nb: two\n");
    slot first = make(50, 50, "one", LIFE_BORN, 1);
    Owner old = all->owner(first);
    EXPECT_EQ(app_of(make(50, 50, "two", LIFE_BORN, 1)), "b");
    EXPECT_EQ(count(old), "a") << "the last counts of the one that is gone";
    ends(old, first);
    EXPECT_EQ(processes_of("a"), 0u);
    EXPECT_EQ(processes_of("b"), 1u);
    all->folded(false);
    all->folded(false);
    EXPECT_EQ(app_of(make(51, 50, "thread")), "b");
}

TEST_F(Lives, KeepTheirTotalsWhenTheRulesChange) {
    running(10, 1, "x");
    processes("a: x\nb: y\n");
    EXPECT_EQ(app_of(make(10, 10, "x")), "a");
    Owner owner = last;
    AppRules rules;
    std::vector<std::string> complaints;
    rules.read(rules_folder.write("new.conf", "c: x\nb: y\n"), complaints);
    all->regroup(std::move(rules));
    EXPECT_EQ(count(owner), "c");
    for (Member& app : all->apps())
        if (app.name == "a") EXPECT_EQ(app.totals[reads], 1u);
    EXPECT_EQ(processes_of("a"), 0u);
    EXPECT_EQ(processes_of("c"), 1u);
}

// Whoever may start processes can start each from the last: the plugin must not think about it for minutes.
TEST_F(Lives, InheritDownALongChainInNoTime) {
    processes("a: nothing\n");
    constexpr uint32_t length = 50'000;
    for (uint32_t i = 0; i < length; i++) {
        // In an order of their own.
        uint32_t place = i * 7919 % length;
        all->owner(make(10 + place, 10 + place, place ? "link" : "first", LIFE_EXECUTED, place ? 9 + place : 1));
    }
    AppRules rules;
    std::vector<std::string> complaints;
    rules.read(rules_folder.write("new.conf", "a: first\n"), complaints);
    all->regroup(std::move(rules));
    EXPECT_EQ(processes_of("a"), length);
}

TEST_F(Lives, AreCountedApartWhileSomebodyLooks) {
    running(10, 1, "x");
    processes("a: x\n");
    Owner owner = all->owner(make(10, 10, "x"));
    all->counted(owner, reads, 5);
    all->track(true);
    all->counted(owner, reads, 7);
    ASSERT_EQ(all->rows().size(), 1u);
    EXPECT_EQ(all->rows()[0].counts[reads], 7u);
    EXPECT_EQ(all->rows()[0].app.name, "a");
    all->track(true);
    EXPECT_EQ(all->rows()[0].counts[reads], 0u);
}

// As /proc with hidepid is for those who may not look.
TEST_F(Lives, AreNotTakenForGoneWhereProcHidesThem) {
    running(10, 1, "x");
    running(1, 0, "systemd");
    processes("a: x\n");
    std::filesystem::remove_all(folder / "1");
    std::filesystem::remove_all(folder / "10");
    all->folded(true);
    EXPECT_EQ(processes_of("a"), 1u);
    running(1, 0, "systemd");
    all->folded(true);
    EXPECT_EQ(processes_of("a"), 0u) << "its end has escaped the kernel side";
}

TEST_F(Lives, HaveTheNameOfAThreadWhereProcHidesTheirOwn) {
    std::filesystem::create_directories(folder / "10");
    processes("a: x\n");
    EXPECT_EQ(app_of(make(11, 10, "x")), "a");
    EXPECT_EQ(app_of(make(12, 10, "y")), "a");
}

// As --watch shows it. Each tells what has come since the one before.
TEST_F(Lives, OfNoGroupAreToldByTheNamesThatTheyHad) {
    using Names = std::map<std::string, uint64_t>;
    auto names = [this] {
        Names by_name;
        for (const auto& [name, counts] : all->take_ungrouped()) by_name[name] += counts[reads];
        return by_name;
    };
    processes("a: x\n");
    EXPECT_EQ(count({}), "other");
    EXPECT_EQ(names(), Names()) << "nobody has asked yet";

    slot s = make(10, 10, "bash", LIFE_BORN, 1);
    EXPECT_EQ(app_of(s), "other");
    Owner before_exec = last;
    slot executed = make(10, 10, "brief", LIFE_EXECUTED, 1);
    EXPECT_EQ(app_of(executed), "other");
    EXPECT_EQ(count(last), "other");
    EXPECT_EQ(count(before_exec), "other") << "what it did before its exec, folded late";
    ends(last, executed);
    for (int i = 0; i < 4; i++) all->folded(false);
    EXPECT_EQ(all->count(), 0u) << "the process is forgotten, what it did is not";
    EXPECT_EQ(app_of(make(11, 11, "brief", LIFE_BORN, 1)), "other");
    EXPECT_EQ(app_of(make(12, 12, "x", LIFE_BORN, 1)), "a");
    EXPECT_EQ(count({}), "other");
    EXPECT_EQ(names(), (Names{{"bash", 2}, {"brief", 3}, {"(no process)", 1}}));

    EXPECT_EQ(app_of(make(11, 11, "x")), "a") << "it has renamed itself: into a group";
    EXPECT_EQ(app_of(make(11, 11, "y")), "other");
    EXPECT_EQ(names(), (Names{{"y", 1}}));
    EXPECT_EQ(names(), Names());
}

TEST_F(Lives, LeaveNothingBehind) {
    processes("a: x\n");
    for (uint32_t i = 0; i < 10'000; i++) {
        slot s = make(100 + i % 300, 100 + i % 300, "x", LIFE_BORN, 1);
        ends(all->owner(s), s);
        all->folded(false);
    }
    all->folded(false);
    all->folded(false);
    EXPECT_EQ(all->count(), 0u);
    EXPECT_EQ(processes_of("a"), 0u);
}

}  // namespace
