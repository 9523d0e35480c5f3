// The text leaves in one piece where it can, and whole where it cannot.
#include "netdata/writer.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>
#include <atomic>
#include <csignal>
#include <thread>
#include "base/error.h"

namespace {

class Pipe : public testing::Test {
protected:
    void SetUp() override {
        std::signal(SIGPIPE, SIG_IGN);
        ASSERT_EQ(pipe2(fds, O_NONBLOCK), 0);
        ASSERT_EQ(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
    }
    ~Pipe() override {
        for (int fd : fds)
            if (fd >= 0) close(fd);
    }

    std::string read_some(size_t most) {
        std::string text(most, '\0');
        ssize_t n = read(fds[0], text.data(), text.size());
        text.resize(n > 0 ? static_cast<size_t>(n) : 0);
        return text;
    }
    void close_end(int end) {
        close(fds[end]);
        fds[end] = -1;
    }

    int fds[2] = {-1, -1};
};

std::string numbered_lines(int from, int to) {
    std::string text;
    for (int i = from; i < to; i++) text += "line " + std::to_string(i) + "\n";
    return text;
}

TEST_F(Pipe, TakesTextAndNumbers) {
    Writer out(fds[1]);
    EXPECT_TRUE(out.empty());
    out << "SET a = " << int64_t{-7} << "\n" << INT64_MIN << " " << INT64_MAX << " " << int64_t{0} << "\n";
    EXPECT_FALSE(out.empty());
    EXPECT_TRUE(out.flush());
    EXPECT_TRUE(out.empty());
    EXPECT_EQ(read_some(200), "SET a = -7\n-9223372036854775808 9223372036854775807 0\n");
    EXPECT_TRUE(out.flush()) << "nothing is written twice";
    EXPECT_EQ(read_some(200), "");
}

TEST(Writer, WritesATickWithOneCall) {
    int packets[2];  // each write can be told from the next
    ASSERT_EQ(pipe2(packets, O_NONBLOCK | O_DIRECT), 0);
    Writer out(packets[1]);
    for (int i = 0; i < 20; i++) out << "SET something = " << int64_t{i} << "\n";
    EXPECT_TRUE(out.flush());
    char text[4096];
    EXPECT_EQ(read(packets[0], text, sizeof text), 10 * 18 + 10 * 19);
    close(packets[0]);
    close(packets[1]);
}

TEST_F(Pipe, TakesWhatItHasRoomForAndTheRestInOrder) {
    Writer out(fds[1]);
    std::string wanted = numbered_lines(0, 3000), read;
    out << wanted;
    EXPECT_FALSE(out.flush());
    EXPECT_FALSE(out.flush()) << "there is still no room";
    std::string more = numbered_lines(3000, 3100);  // the next text queues behind what is left
    out << more;
    wanted += more;
    for (int i = 0; !out.empty(); i++) {
        ASSERT_LT(i, 10000);
        read += read_some(i % 2 ? 4096 : 999);
        bool all = out.flush();
        EXPECT_EQ(all, out.empty());
    }
    read += read_some(8192);
    EXPECT_EQ(read, wanted);
}

TEST_F(Pipe, ThrowsWhenNobodyReads) {
    Writer out(fds[1]);
    close_end(0);
    out << "text\n";
    try {
        out.flush();
        FAIL() << "it should have thrown";
    } catch (const Error& e) {
        EXPECT_EQ(e.code, EPIPE);
        EXPECT_STREQ(e.what(), "write to the agent: Broken pipe");
    }
}

TEST_F(Pipe, ThrowsWhenTheReaderGoesAwayHalfway) {
    Writer out(fds[1]);
    out << numbered_lines(0, 3000);
    EXPECT_FALSE(out.flush());
    close_end(0);
    EXPECT_THROW(out.flush(), Error);
}

// A signal comes while the write waits for room.
TEST_F(Pipe, GoesOnAfterASignal) {
    struct sigaction act {};
    act.sa_handler = [](int) {};
    struct sigaction before;
    sigaction(SIGUSR1, &act, &before);
    std::string wanted = numbered_lines(0, 3000), read;
    pthread_t writer = pthread_self();
    std::atomic<bool> done = false;
    std::thread reader([&] {
        for (int i = 0; i < 20; i++) {
            pthread_kill(writer, SIGUSR1);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        while (!done || read.size() < wanted.size()) {
            std::string some = read_some(4096);
            if (done && some.empty()) break;
            read += some;
        }
    });
    Writer out(fds[1]);
    fcntl(fds[1], F_SETFL, 0);  // waits
    out << wanted;
    EXPECT_NO_THROW(EXPECT_TRUE(out.flush()));
    done = true;
    reader.join();
    sigaction(SIGUSR1, &before, nullptr);
    EXPECT_EQ(read, wanted);
}

}  // namespace
