// What the paths of control groups stand for.
#include "who/cgroups.h"
#include <gtest/gtest.h>
#include <optional>
#include "scratch_folder.h"

namespace {

std::string shown(std::string_view path) {
    auto named = name_cgroup(path);
    return !named ? "-" : (named->service ? "service " : "") + named->name;
}

const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(CgroupNames, AreNeverEmpty) {
    EXPECT_EQ(shown("/system.slice/.service"), "-");
    EXPECT_EQ(shown("/machine.slice/machine-.scope"), "-");
    EXPECT_EQ(shown("/machine.slice/systemd-nspawn@.service"), "-");
}

TEST(CgroupNames, AreThoseOfTheEngines) {
    EXPECT_EQ(shown("/system.slice/docker-" + id + ".scope"), "docker_0123456789ab");
    EXPECT_EQ(shown("/docker/" + id), "docker_0123456789ab");
    EXPECT_EQ(shown("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id + ".scope"),
              "docker_0123456789ab")
        << "rootless";
    EXPECT_EQ(shown("/machine.slice/libpod-" + id + ".scope"), "podman_0123456789ab");
    EXPECT_EQ(shown("/machine.slice/libpod-conmon-" + id + ".scope"), "-");
    EXPECT_EQ(shown("/system.slice/containerd.service/cri-containerd-" + id + ".scope"), "containerd_0123456789ab");
    EXPECT_EQ(shown("/default/" + id), "containerd_0123456789ab");
    EXPECT_EQ(shown("/kubepods/burstable/pod12345678-1234-1234-1234-123456789012/" + id), "k8s_cntr_0123456789ab");
    EXPECT_EQ(shown("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-" + id + ".scope"),
              "k8s_cntr_0123456789ab");
    EXPECT_EQ(shown("/kubepods.slice/kubepods-besteffort.slice"), "-");
    EXPECT_EQ(shown("/lxc/web"), "lxc_web");
    EXPECT_EQ(shown("/lxc.payload.web"), "lxc_web");
    EXPECT_EQ(shown("/lxc.payload/web"), "lxc_web");
    EXPECT_EQ(shown("/lxc.payload.web/system.slice/cron.service"), "-");
    EXPECT_EQ(shown("/lxc.monitor.web"), "-");
    EXPECT_EQ(shown("/machine.slice/machine-qemu\\x2d3\\x2ddebian\\x2d12.scope"), "qemu_debian-12");
    EXPECT_EQ(shown("/machine/vm.libvirt-qemu"), "qemu_vm");
    EXPECT_EQ(shown("/machine.slice/machine-qemu\\x2d3\\x2dvm.scope/libvirt/vcpu0"), "-");
    EXPECT_EQ(shown("/machine.slice/systemd-nspawn@deb.service"), "deb");
}

TEST(CgroupNames, AreThoseOfServices) {
    EXPECT_EQ(shown("/system.slice/nginx.service"), "service nginx");
    EXPECT_EQ(shown("/system.slice/system-getty.slice/getty@tty1.service"), "service getty@tty1");
    EXPECT_EQ(shown("/system.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.service"),
              "service serial-getty@ttyS0");
    EXPECT_EQ(shown("/user.slice/user-1000.slice/user@1000.service/app.slice/x.service"), "-");
}

TEST(CgroupNames, AreMissingForWhatOnlySorts) {
    for (const char* path :
         {"/", "", "/init.scope", "/system.slice", "/user.slice/user-0.slice/session-1.scope", "/docker",
          "/system.slice/run-r1.scope", "/system.slice/dev-mqueue.mount", "/libvirt", "/machine"})
        EXPECT_EQ(shown(path), "-") << path;
    EXPECT_EQ(shown("/batch/job 7"), "batch_job 7") << "made by hand";
}

// Over a /proc of our own, with the old hierarchies: a cgroup is known by its process.
class CgroupsOfProcesses : public testing::Test {
protected:
    CgroupsOfProcesses() { in(0, "/"), std::filesystem::rename(folder / "proc/0", folder / "proc/self"); }

    void in(uint32_t tgid, const std::string& path) {
        folder.write("proc/" + std::to_string(tgid) + "/cgroup", "5:cpu:/elsewhere\n4:memory:" + path + "\n");
    }
    Cgroups& open(const std::string& patterns = "") { return all.emplace(folder / "", folder / "proc", patterns); }
    std::string of(const std::string& path) {
        in(7, path);
        number = all->of(0, 7);
        return number ? (*all)[number].name : "-";
    }

    ScratchFolder folder;
    std::optional<Cgroups> all;
    uint32_t number = 0;
};

TEST_F(CgroupsOfProcesses, WithinAContainerOrAServiceAreIts) {
    open("!/docker/" + id + "/secret");
    EXPECT_EQ(of("/docker/" + id), "docker_0123456789ab");
    uint32_t container = number;
    EXPECT_EQ(of("/docker/" + id + "/init"), "docker_0123456789ab");
    EXPECT_EQ(number, container);
    EXPECT_EQ(of("/docker/" + id + "/system.slice/cron.service"), "docker_0123456789ab");
    EXPECT_EQ(of("/docker/" + id + "/secret"), "-");
    EXPECT_EQ(of("/system.slice/systemd-udevd.service/udev"), "systemd-udevd");
    EXPECT_EQ(of("/machine.slice/machine-qemu\\x2d3\\x2dvm.scope/libvirt/vcpu0"), "qemu_vm");
    EXPECT_EQ(of("/lxc.payload.web/system.slice/cron.service"), "lxc_web");
    EXPECT_EQ(of("/user.slice/user-1000.slice/user@1000.service/app.slice/x.service"), "-");
    EXPECT_EQ(of("/"), "-");
}

TEST_F(CgroupsOfProcesses, GoOnUnderTheirNameWhenTheyAreMadeAnew) {
    std::string again = id;
    again.back() = 'a';
    for (const std::string& one : {id, again})
        folder.write("var/lib/docker/containers/" + one + "/config.v2.json", R"({"Name": "/web"})");
    open();
    EXPECT_EQ(of("/docker/" + id), "web");
    uint32_t before = number;
    (*all)[before].processes = 1;
    EXPECT_EQ(of("/docker/" + again), "web");
    EXPECT_NE(number, before) << "both are there at the same time";
    open();
    of("/docker/" + id);
    (*all)[number].totals[0] = 5;
    EXPECT_EQ(of("/docker/" + again), "web");
    EXPECT_EQ((*all)[number].totals[0], 5u);
}

TEST_F(CgroupsOfProcesses, MakeRoomForOthersWhenTheyAreGone) {
    open();
    for (int i = 0; i < 1500; i++) {
        ASSERT_NE(of("/job" + std::to_string(i)), "-");
        (*all)[number].retired = true;
        EXPECT_EQ((*all)[number].name, "job" + std::to_string(i));
    }
    EXPECT_LE(all->members().size(), 1001u);
    Member& last = (*all)[number];
    last.active = true;  // by a process that was there for a moment: nobody has seen it yet
    std::string name = last.name;
    for (int i = 0; i < 1100; i++) of("/other" + std::to_string(i)), (*all)[number].retired = true;
    EXPECT_EQ(last.name, name);
}

TEST_F(CgroupsOfProcesses, AreNotToldWhereProcHasOtherIds) {
    open();
    EXPECT_EQ(of("/docker/" + id), "docker_0123456789ab");
    all.emplace(folder / "", "", "");
    EXPECT_EQ(of("/docker/" + id), "-");
}

TEST(Patterns, AreTriedInOrder) {
    EXPECT_EQ(matches_patterns("!*/init.scope *.scope", "/x/init.scope"), false);
    EXPECT_EQ(matches_patterns("!*/init.scope *.scope", "/x/y.scope"), true);
    EXPECT_EQ(matches_patterns("!*/init.scope *.scope", "/x"), std::nullopt);
    EXPECT_EQ(matches_patterns("  \t ", "/x"), std::nullopt);
    EXPECT_EQ(matches_patterns("/a*b*c", "/aXbYbZc"), true);
    EXPECT_EQ(matches_patterns("/a*b*c", "/aXc"), std::nullopt);
}

}  // namespace
