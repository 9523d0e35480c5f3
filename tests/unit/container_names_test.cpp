// What engines call their containers, from files as they keep them.
#include "who/container_names.h"
#include <gtest/gtest.h>
#include "scratch_folder.h"

namespace {

const std::string id(64, 'a');

class ContainerNames : public testing::Test {
protected:
    std::string name() { return container_name(folder / "", id); }
    ScratchFolder folder;
};

TEST_F(ContainerNames, AreEmptyWhereNoEngineKnows) { EXPECT_EQ(name(), ""); }

TEST_F(ContainerNames, AreDockers) {
    folder.write("var/lib/docker/containers/" + id + "/config.v2.json", R"({"ID":"x","Name":"/web \"1\""})");
    EXPECT_EQ(name(), "web \"1\"");
}

TEST_F(ContainerNames, AreKubernetes) {
    std::string file = "run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id + "/config.json";
    folder.write(file, R"({"annotations":{"io.kubernetes.cri.sandbox-namespace":"shop",
        "io.kubernetes.cri.sandbox-name":"cart-7d","io.kubernetes.cri.container-name":"redis"}})");
    EXPECT_EQ(name(), "k8s_shop_cart-7d_redis");
    folder.write(file, R"({"annotations":{"io.kubernetes.cri.sandbox-namespace":"shop",
        "io.kubernetes.cri.sandbox-name":"cart-7d"}})");
    EXPECT_EQ(name(), "k8s_shop_cart-7d_POD");
}

TEST_F(ContainerNames, AreThoseOfCriO) {
    folder.write("run/containers/storage/overlay-containers/" + id + "/userdata/config.json",
                 R"({"annotations":{"io.kubernetes.pod.namespace":"a","io.kubernetes.pod.name":"b",
                     "io.kubernetes.container.name":"c"}})");
    EXPECT_EQ(name(), "k8s_a_b_c");
}

TEST_F(ContainerNames, ArePodmansAndNerdctls) {
    folder.write("var/lib/containers/storage/overlay-containers/containers.json",
                 R"([{"id":"other","names":["no"]},{"id":")" + id + R"(","names":["db"]}])");
    EXPECT_EQ(name(), "db");
    folder.write("run/containerd/io.containerd.runtime.v2.task/default/" + id + "/config.json",
                 R"({"annotations":{"nerdctl/name":"n"}})");
    EXPECT_EQ(name(), "n");
}

TEST_F(ContainerNames, SurviveFilesOfAnyContent) {
    std::string file = "var/lib/docker/containers/" + id + "/config.v2.json";
    for (const char* text :
         {"", "{", "[]", "null", "7", R"({"Name":7})", R"({"Name":null})", R"(["Name"])", "\xff\xfe"}) {
        folder.write(file, text);
        folder.write("var/lib/containers/storage/overlay-containers/containers.json", text);
        folder.write("run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id + "/config.json", text);
        EXPECT_EQ(name(), "") << text;
    }
}

}  // namespace
