// What a container's engine calls it, from the files that the engines keep: nobody is asked, nothing is executed.
#pragma once
#include <string>
#include <string_view>

// The name, or "" if its engine has none for it or keeps its files elsewhere. `root` goes before all paths ("" or where the
// host's root is mounted); `id`: 64 digits. In Kubernetes it is "k8s_<namespace>_<pod>_<container>".
std::string container_name(const std::string& root, std::string_view id);
