// What the plugin finds in type information, made up here.
#include "bpf/kernel.h"
#include <bpf/btf.h>
#include <gtest/gtest.h>
#include <memory>
#include "base/owner.h"

namespace {

using Types = std::unique_ptr<btf, Destroy<btf__free>>;

class FindTypes : public testing::Test {
protected:
    void add_function(btf* types, const char* name, int arguments) {
        int prototype = btf__add_func_proto(types, number_);
        for (int i = 0; i < arguments; i++) btf__add_func_param(types, "argument", number_);
        btf__add_func(types, name, BTF_FUNC_GLOBAL, prototype);
    }
    void add_event(btf* types, const char* name) {
        btf__add_typedef(types, (std::string("btf_trace_") + name).c_str(), number_);
    }
    FoundTypes find(const btf* types, unsigned first = 1) {
        return find_types(types, first, wanted_types(hooks_), kernel_);
    }

    const Hook hooks_[3] = {{.name = "read", .kind = {}, .first = 0, .functions = {"ext4:ext4_read", "xfs:xfs_read"}},
                            {.name = "close", .kind = {}, .first = 0, .functions = {"sys_close"}},
                            {.name = "state", .kind = {}, .first = 0, .event = "socket_state"}};
    Types kernels_{btf__new_empty()};
    int number_ = btf__add_int(kernels_.get(), "int", 4, BTF_INT_SIGNED);
    Kernel kernel_;
};

TEST_F(FindTypes, OfTheKernel) {
    add_function(kernels_.get(), "__x64_sys_close", 1);
    add_function(kernels_.get(), "something_else", 2);
    add_event(kernels_.get(), "socket_state");
    add_event(kernels_.get(), "another");
    FoundTypes found = find(kernels_.get());
    EXPECT_EQ(kernel_.functions, (std::map<std::string, int>{{"__x64_sys_close", 1}}));
    EXPECT_EQ(kernel_.events, std::set<std::string>{"socket_state"});
    EXPECT_GT(found.function, 0);
    EXPECT_EQ(found.sys_exit, 0);
    EXPECT_FALSE(found.casts);
    EXPECT_EQ(kernel_.resolve(hooks_[1]), "__x64_sys_close");
}

TEST_F(FindTypes, WhatThePluginAsksTheKernelMoreAbout) {
    add_event(kernels_.get(), "sys_exit");
    add_function(kernels_.get(), "bpf_rdonly_cast", 2);
    FoundTypes found = find(kernels_.get());
    EXPECT_GT(found.sys_exit, 0);
    EXPECT_TRUE(found.casts);
    EXPECT_TRUE(kernel_.functions.empty());
}

TEST_F(FindTypes, OfAModuleAfterThoseOfTheKernel) {
    EXPECT_EQ(wanted_types(hooks_).modules, (std::set<std::string>{"ext4", "xfs"}));
    add_function(kernels_.get(), "__x64_sys_close", 1);
    find(kernels_.get());
    EXPECT_EQ(kernel_.resolve(hooks_[0]), "");
    Types module{btf__new_empty_split(kernels_.get())};
    add_function(module.get(), "xfs_read", 2);
    find(module.get(), btf__type_cnt(kernels_.get()));
    EXPECT_EQ(kernel_.functions.at("xfs_read"), 2);
    EXPECT_EQ(kernel_.resolve(hooks_[0]), "xfs_read");
    add_function(kernels_.get(), "ext4_read", 3);  // built in: it goes before, for it is the better one
    find(kernels_.get());
    EXPECT_EQ(kernel_.resolve(hooks_[0]), "ext4_read");
}

}  // namespace
