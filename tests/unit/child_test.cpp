// Children that answer: in time, too late, not at all, and whether any outlives the plugin.
#include "guard/child.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include "base/clock.h"

namespace {

struct Question {
    enum Kind { Double, Hang, Die, WrongSize, Stat, Open } what;
    int number;
};
struct Reply {
    int number;
    pid_t child, starter;
};
using TestChild = Child<Question, Reply>;

constexpr int64_t ms = second / 1000, limit = 300 * ms, ample = 20 * second;

void serve(const Question& q, Descriptors with_it, Reply& reply, Descriptors& with_reply) {
    reply = {2 * q.number, getpid(), getppid()};
    switch (q.what) {
        case Question::Hang:
            for (;;) pause();
        case Question::Die: _exit(3);
        case Question::WrongSize:  // of all its descriptors one is the socket
            for (int fd = 3; fd < 64; fd++) ::send(fd, "x", 1, MSG_NOSIGNAL);
            for (;;) pause();
        case Question::Stat: {
            struct stat about {};
            reply.number =
                with_it.size() == 1 && fstat(with_it[0].get(), &about) == 0 ? static_cast<int>(about.st_size) : -1;
            break;
        }
        case Question::Open:
            for (int i = 0; i < q.number; i++) with_reply.emplace_back(open("/proc/self/stat", O_RDONLY));
            break;
        case Question::Double: break;
    }
}

struct Children : testing::Test {
    TestChild child{ample, [] {}, serve}, hasty{limit, [] {}, serve};

    // As the loop does: waits for what is readable, and for what is due.
    static std::optional<Reply> wait(TestChild& asked, Descriptors* with_it = nullptr) {
        for (;;) {
            pollfd readable{.fd = asked.fd(), .events = POLLIN, .revents = 0};
            poll(&readable, 1, asked.due() > clock_ns(CLOCK_MONOTONIC) ? 10 : 0);
            if (auto answer = asked.take()) {
                if (with_it) *with_it = std::move(answer->with_it);
                return answer->reply;
            }
        }
    }
    std::optional<Reply> ask(Question q, Descriptors with_it = {}, Descriptors* with_reply = nullptr) {
        child.ask(q, std::move(with_it));
        return wait(child, with_reply);
    }
    // What is sure to be answered in time; on a busy machine, when it is asked again.
    static Reply answer(TestChild& asked, Question q) {
        for (;;) {
            asked.ask(q);
            if (auto reply = wait(asked)) return *reply;
        }
    }
    Reply answer(Question q) { return answer(child, q); }
};

bool is_there(pid_t process) {
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    std::string pid, name, state;
    return stat >> pid >> name >> state && state != "Z" && state != "X";
}
bool goes(pid_t process) {
    for (int64_t end = clock_ns(CLOCK_MONOTONIC) + ample; clock_ns(CLOCK_MONOTONIC) < end; usleep(1000))
        if (!is_there(process)) return true;
    return false;
}

TEST_F(Children, AnswerOneQuestionAfterTheOther) {
    Reply first = answer({Question::Double, 21}), second_one = answer({Question::Double, 4});
    EXPECT_EQ(first.number, 42);
    EXPECT_EQ(second_one.number, 8);
    EXPECT_EQ(first.child, second_one.child);
    EXPECT_NE(first.child, getpid());
    EXPECT_NE(first.starter, getpid());
}

TEST_F(Children, AreKilledWhenTheyAreTooSlowAndStartedAgain) {
    pid_t slow = answer(hasty, {Question::Double, 1}).child;
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    hasty.ask({Question::Hang, 0});
    EXPECT_TRUE(hasty.is_busy());
    EXPECT_FALSE(hasty.take());  // not yet
    EXPECT_FALSE(wait(hasty));
    EXPECT_GE(clock_ns(CLOCK_MONOTONIC) - begin, limit);
    EXPECT_FALSE(hasty.is_busy());
    EXPECT_TRUE(goes(slow));
    Reply next = answer(hasty, {Question::Double, 3});
    EXPECT_EQ(next.number, 6);
    EXPECT_NE(next.child, slow);
}

TEST_F(Children, MayDieInTheMiddle) {
    pid_t first = answer({Question::Double, 1}).child;
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    EXPECT_FALSE(ask({Question::Die, 0}));
    EXPECT_LT(clock_ns(CLOCK_MONOTONIC) - begin, ample);  // it is known at once
    Reply next = answer({Question::Double, 5});
    EXPECT_EQ(next.number, 10);
    EXPECT_NE(next.child, first);
}

TEST_F(Children, MayDieBetweenQuestions) {
    pid_t first = answer({Question::Double, 1}).child;
    kill(first, SIGKILL);
    pollfd readable{.fd = child.fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&readable, 1, ample / ms), 1);
    EXPECT_FALSE(child.take());
    EXPECT_EQ(poll(&readable, 1, 0), 0);  // it is not told again and again
    EXPECT_NE(answer({Question::Double, 1}).child, first);
}

TEST_F(Children, GoWithTheirStarterAndThenNothingIsAnswered) {
    Reply first = answer(hasty, {Question::Double, 1});
    kill(first.starter, SIGKILL);
    EXPECT_TRUE(goes(first.child));
    EXPECT_FALSE(hasty.take());
    hasty.ask({Question::Double, 1});
    EXPECT_FALSE(wait(hasty));
    EXPECT_FALSE(hasty.is_busy());
}

TEST_F(Children, AreNotBelievedWhenTheAnswerHasAnotherSize) {
    pid_t first = answer({Question::Double, 1}).child;
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    EXPECT_FALSE(ask({Question::WrongSize, 0}));
    EXPECT_LT(clock_ns(CLOCK_MONOTONIC) - begin, ample);
    EXPECT_TRUE(goes(first));
    EXPECT_EQ(answer({Question::Double, 5}).number, 10);
}

TEST_F(Children, GetOpenFilesAndGiveThem) {
    answer({Question::Double, 1});
    char name[] = "/tmp/child_test.XXXXXX";
    Descriptors file;
    file.emplace_back(mkstemp(name));
    ASSERT_EQ(ftruncate(file[0].get(), 1234), 0);
    unlink(name);
    auto size = ask({Question::Stat, 0}, std::move(file));
    ASSERT_TRUE(size);
    EXPECT_EQ(size->number, 1234);

    Descriptors opened;
    auto reply = ask({Question::Open, 2}, {}, &opened);
    ASSERT_TRUE(reply);
    ASSERT_EQ(opened.size(), 2u);
    std::string text(64, 0);
    ASSERT_GT(read(opened[1].get(), text.data(), text.size()), 0);
    EXPECT_EQ(std::stoi(text), reply->child);  // who has opened it
}

TEST_F(Children, HoldNothingElseOpen) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    TestChild later{ample, [] {}, serve};
    answer(later, {Question::Double, 1});
    close(pipe_ends[1]);
    pollfd end{.fd = pipe_ends[0], .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&end, 1, ample / ms), 1);
    EXPECT_TRUE(end.revents & POLLHUP);  // that was the last writer
    close(pipe_ends[0]);
}

TEST(Child, GivesUpWhatItIsToldToBeforeTheFirstQuestion) {
    static int given_up = 0;
    TestChild confined{ample, [] { given_up = 7; },
                       // NOLINTNEXTLINE(performance-unnecessary-value-param): a child's function has this form
                       [](const Question&, Descriptors, Reply& reply, Descriptors&) { reply.number = given_up; }};
    EXPECT_EQ(Children::answer(confined, {Question::Double, 1}).number, 7);
    EXPECT_EQ(given_up, 0);
}

TEST(Child, ThatCannotBeConfinedAnswersNothing) {
    TestChild child{ample, [] { throw std::runtime_error("no"); }, serve};
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    child.ask({Question::Double, 1});
    EXPECT_FALSE(Children::wait(child));
    EXPECT_LT(clock_ns(CLOCK_MONOTONIC) - begin, ample);
}

// SIGKILL leaves the plugin no time to clear away.
TEST(Child, GoesWithItsParentHoweverThatDies) {
    int told[2];
    ASSERT_EQ(pipe(told), 0);
    pid_t plugin = fork();
    if (!plugin) {
        TestChild child{ample, [] {}, serve};
        Reply reply = Children::answer(child, {Question::Double, 1});
        child.ask({Question::Hang, 0});  // it does not even read that its socket has ended
        if (write(told[1], &reply, sizeof reply) < 0) _exit(1);
        for (;;) pause();
    }
    Reply reply{};
    ASSERT_EQ(read(told[0], &reply, sizeof reply), static_cast<ssize_t>(sizeof reply));
    EXPECT_TRUE(is_there(reply.child));
    EXPECT_TRUE(is_there(reply.starter));
    kill(plugin, SIGKILL);
    waitpid(plugin, nullptr, 0);
    EXPECT_TRUE(goes(reply.child));
    EXPECT_TRUE(goes(reply.starter));
    for (int fd : told) close(fd);
}

TEST(Child, GoesWithItsOwner) {
    Reply reply{};
    {
        TestChild child{ample, [] {}, serve};
        reply = Children::answer(child, {Question::Double, 1});
    }
    EXPECT_FALSE(is_there(reply.starter));
    EXPECT_TRUE(goes(reply.child));
}

}  // namespace
