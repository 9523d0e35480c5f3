#include "who/container_names.h"
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "base/error.h"
#include "base/words.h"

namespace {

using Metadata = nlohmann::json;

constexpr int64_t longest_metadata = 4 << 20;

// Null if there is no such file, or if it is none of JSON.
Metadata read_json(const std::string& path) try {
    Metadata json = Metadata::parse(read_file(path, longest_metadata), nullptr, false);
    return json.is_discarded() ? Metadata() : json;
} catch (const Error&) {
    return nullptr;
}

Metadata part_of(const Metadata& object, const char* key) {
    return object.is_object() && object.contains(key) ? object[key] : Metadata();
}

std::string text_in(const Metadata& object, const char* key) {
    Metadata text = part_of(object, key);
    return text.is_string() ? text.get<std::string>() : "";
}

// The runtime's file (OCI) holds what Kubernetes or nerdctl have written into the annotations.
std::string name_in_annotations(const Metadata& annotations) {
    for (auto [space, pod, container] :
         {std::tuple{"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri.sandbox-name",
                     "io.kubernetes.cri.container-name"},
          {"io.kubernetes.pod.namespace", "io.kubernetes.pod.name", "io.kubernetes.container.name"}})
        if (std::string of_pod = text_in(annotations, pod); !of_pod.empty()) {
            std::string name = text_in(annotations, container);
            return fmt::format("k8s_{}_{}_{}", text_in(annotations, space), of_pod, name.empty() ? "POD" : name);
        }
    return text_in(annotations, "nerdctl/name");
}

}  // namespace

std::string container_name(const std::string& root, std::string_view id) {
    std::string docker =
        text_in(read_json(fmt::format("{}/var/lib/docker/containers/{}/config.v2.json", root, id)), "Name");
    if (docker.starts_with('/')) docker.erase(0, 1);
    // Of Kubernetes by docker: k8s_<container>_<pod>_<namespace>_…; that is a name too.
    if (!docker.empty()) return docker;

    for (const char* folder : {"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{}",
                               "/run/containerd/io.containerd.runtime.v2.task/default/{}",
                               "/run/containers/storage/overlay-containers/{}/userdata"})
        if (std::string name = name_in_annotations(
                part_of(read_json(fmt::format("{}{}/config.json", root, fmt::format(fmt::runtime(folder), id))),
                        "annotations"));
            !name.empty())
            return name;

    for (const Metadata& container :
         read_json(root + "/var/lib/containers/storage/overlay-containers/containers.json")) {
        if (text_in(container, "id") != id) continue;
        Metadata names = part_of(container, "names");
        if (names.is_array() && !names.empty() && names[0].is_string()) return names[0].get<std::string>();
    }
    return "";
}
