// What the paths of control groups stand for.
#include "cgroups.h"
#include <gtest/gtest.h>

namespace {

std::string shown(std::string_view path) {
    auto named = name_cgroup(path);
    return !named ? "-" : (named->service ? "service " : "") + named->name;
}

const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

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

TEST(Patterns, AreTriedInOrder) {
    EXPECT_EQ(matches_patterns("!*/init.scope *.scope", "/x/init.scope"), false);
    EXPECT_EQ(matches_patterns("!*/init.scope *.scope", "/x/y.scope"), true);
    EXPECT_EQ(matches_patterns("!*/init.scope *.scope", "/x"), std::nullopt);
    EXPECT_EQ(matches_patterns("  \t ", "/x"), std::nullopt);
    EXPECT_EQ(matches_patterns("/a*b*c", "/aXbYbZc"), true);
    EXPECT_EQ(matches_patterns("/a*b*c", "/aXc"), std::nullopt);
}

}  // namespace
