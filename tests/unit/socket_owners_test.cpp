// Whose sockets are whose: a /proc of our own, and the real one.
#include "net/socket_owners.h"
#include <gtest/gtest.h>
#include "loopback.h"
#include "scratch_folder.h"

namespace {

using Owners = std::unordered_map<uint32_t, uint32_t>;

class SocketOwners : public testing::Test {
protected:
    void open_file(const std::string& process, const std::string& fd, const std::string& target) {
        std::filesystem::create_directories(proc / (process + "/fd"));
        std::filesystem::create_symlink(target, proc / (process + "/fd/" + fd));
    }
    ScratchFolder proc;
};

TEST_F(SocketOwners, AreReadFromTheOpenFiles) {
    open_file("10", "0", "/dev/null");
    open_file("10", "3", "socket:[1001]");
    open_file("9", "3", "socket:[1001]");
    open_file("200", "3", "socket:[1001]");
    open_file("200", "70", "socket:[4294967295]");
    open_file("200", "71", "socket:[1003]");
    EXPECT_EQ(socket_owners(proc / "", {1001, 4294967295, 1004}), (Owners{{1001, 9}, {4294967295, 200}}));
    EXPECT_EQ(socket_owners(proc / "", {}), Owners());
}

TEST_F(SocketOwners, AreNotMadeOfOtherThings) {
    open_file("10", "3", "socket:[1001");
    open_file("10", "4", "socket:[]");
    open_file("10", "5", "socket:[-1001]");
    open_file("10", "6", "socket:[1001x]");
    open_file("10", "7", "socket:[4294968297]");  // 1001 + 2^32
    open_file("10", "8", "pipe:[1001]");
    open_file("10", "9", "/tmp/socket:[1001]");
    open_file("10", "10", "socket:[1001]" + std::string(100, ']'));
    open_file("self", "3", "socket:[1001]");
    open_file("10x", "3", "socket:[1001]");
    std::ofstream(proc / "11") << "no folder";
    std::filesystem::create_directories(proc / "12");
    EXPECT_EQ(socket_owners(proc / "", {1001}), Owners());
    EXPECT_EQ(socket_owners(proc / "missing", {1001}), Owners());
}

TEST_F(SocketOwners, AreThoseOfTheKernel) {
    TestSocket ours(AF_INET, SOCK_DGRAM);
    EXPECT_EQ(socket_owners("/proc", {ours.inode()}), (Owners{{ours.inode(), getpid()}}));
}

}  // namespace
