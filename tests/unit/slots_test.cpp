// The fold, over memory in which the test plays the programs in the kernel.
#include "bpf/slots.h"
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <random>
#include <span>
#include <thread>
#include "base/error.h"

namespace {

// What the programs do, as they do it: plain loads and stores, the tag first, the mark last.
template <class T>
T get(const T& value) {
    return std::atomic_ref(const_cast<T&>(value)).load(std::memory_order_acquire);
}
template <class T>
void put(T& value, T n) {
    std::atomic_ref(value).store(n, std::memory_order_release);
}

class Programs {
public:
    explicit Programs(size_t count)
        : count_(count),
          slots_(static_cast<slot*>(std::aligned_alloc(64, count * sizeof(slot))), std::free),
          dirty_(static_cast<uint8_t*>(std::aligned_alloc(64, count)), std::free) {
        std::memset(static_cast<void*>(slots_.get()), 0, count * sizeof(slot));
        std::memset(dirty_.get(), 0, count);
    }

    SlotMemory memory() {
        return {.table = {slots_.get(), dirty_.get(), &shared_.tables[TABLE_slots], count_}, .shared = &shared_};
    }
    table_use& use() { return shared_.tables[TABLE_slots]; }
    slot& operator[](size_t i) { return slots_.get()[i]; }
    uint8_t& dirty(size_t i) { return dirty_.get()[i]; }
    state& shared() { return shared_; }

    bool claim(size_t i, uint32_t tid, uint32_t tgid = static_cast<uint32_t>(getpid())) {
        uint32_t free = 0;
        slot& s = (*this)[i];
        if (!std::atomic_ref(s.tag).compare_exchange_strong(free, tid)) return false;
        std::strcpy(s.comm, "test");
        put(s.tgid, tgid);
        std::atomic_ref(use().claimed).fetch_add(1);
        return true;
    }
    void add(size_t i, int counter, uint64_t n) {
        put(counters(i)[counter], static_cast<__u64>(get(counters(i)[counter]) + n));
    }
    void mark(size_t i, uint8_t lines) {
        if ((get(dirty(i)) & lines) != lines) put(dirty(i), static_cast<uint8_t>(get(dirty(i)) | lines));
    }
    void count(size_t i, int counter, uint64_t n) {
        add(i, counter, n);
        mark(i, static_cast<uint8_t>(1u << LINE_OF(counter)));
    }
    void retire(size_t i) {
        put((*this)[i].tag, static_cast<__u32>((*this)[i].tag | ROW_RETIRED));
        mark(i, 1);
    }

private:
    __u64* counters(size_t i) { return (*this)[i].counters; }

    size_t count_;
    std::unique_ptr<slot, decltype(&std::free)> slots_;
    std::unique_ptr<uint8_t, decltype(&std::free)> dirty_;
    state shared_{};
};

const auto self = static_cast<uint32_t>(getpid());  // a thread that lives; the sweep must not take its slot
constexpr int first = 0, last = static_cast<int>(COUNTERS) - 1;

// A counter of another cache line of the slot than the first's.
constexpr int far = LINE_WORDS;
static_assert(LINE_OF(far) != LINE_OF(first) && far < static_cast<int>(COUNTERS));

uint64_t sum(const Counters& totals) { return std::accumulate(totals.begin(), totals.end(), uint64_t{0}); }

struct Told {
    uint32_t tgid;
    int counter;
    uint64_t n;
    bool operator==(const Told&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Told& t) {
    return out << t.tgid << " counter " << t.counter << " +" << t.n;
}

void record_into(Slots& slots, std::vector<Told>& told) {
    slots.listen({.owner = [](const slot& who) { return Owner{who.tgid}; },
                  .counted =
                      [&told](Owner who, int counter, uint64_t n) {
                          told.push_back({who.process, counter, n});
                      }});
}

TEST(Slots, CountWhatWasAddedSinceTheLastFold) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.claim(5, self);
    kernel.count(5, first, 3);
    slots.fold();
    EXPECT_EQ(slots.totals()[first], 3u);
    slots.fold();
    EXPECT_EQ(slots.totals()[first], 3u) << "nothing happened";
    kernel.count(5, first, 4);
    kernel.count(5, last, 1);
    slots.fold();
    EXPECT_EQ(slots.totals()[first], 7u);
    EXPECT_EQ(slots.totals()[last], 1u);
    EXPECT_EQ(sum(slots.totals()), 8u);
}

TEST(Slots, CountWhatWasThereBeforeTheFirstFold) {
    Programs kernel(64);
    kernel.claim(5, self);
    kernel.count(5, first, 3);
    Slots slots(kernel.memory());
    slots.fold();
    EXPECT_EQ(slots.totals()[first], 3u);
}

TEST(Slots, FindEveryCounterInItsLine) {
    for (int counter = 0; counter < COUNTERS; counter++) {
        Programs kernel(64);
        Slots slots(kernel.memory());
        kernel.claim(1, self);
        kernel.count(1, counter, 7);
        slots.fold();
        EXPECT_EQ(slots.totals()[static_cast<size_t>(counter)], 7u) << counter;
        EXPECT_EQ(sum(slots.totals()), 7u) << counter;
    }
}

TEST(Slots, ReadNoLineWithoutAMark) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.claim(1, self);
    kernel.add(1, far, 2);
    kernel.count(1, first, 1);
    slots.fold();
    EXPECT_EQ(slots.totals()[first], 1u);
    EXPECT_EQ(slots.totals()[far], 0u);
    kernel.mark(1, 1 << LINE_OF(far));
    slots.fold();
    EXPECT_EQ(slots.totals()[far], 2u);
}

TEST(Slots, FindEverySlotByItsMark) {
    Programs kernel(256);
    Slots slots(kernel.memory());
    for (size_t i = 0; i < 256; i++) {
        kernel.claim(i, self);
        kernel.count(i, first, 1);
        slots.fold();
        ASSERT_EQ(slots.totals()[first], i + 1) << "slot " << i;
        ASSERT_EQ(kernel.dirty(i), 0) << "slot " << i;
    }
    for (size_t i = 0; i < 256; i++) kernel.count(i, far, 1);
    slots.fold();
    EXPECT_EQ(slots.totals()[far], 256u);
}

TEST(Slots, SweepUpCountsWithoutAMark) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.claim(0, self);
    kernel.claim(63, self);
    kernel.add(0, first, 2);
    kernel.add(63, last, 3);
    slots.fold();
    EXPECT_EQ(sum(slots.totals()), 0u);
    slots.fold(true);
    EXPECT_EQ(slots.totals()[first], 2u);
    EXPECT_EQ(slots.totals()[last], 3u);
    slots.fold(true);
    EXPECT_EQ(sum(slots.totals()), 5u);
}

TEST(Slots, FreeTheRetiredAndKeepTheirCounts) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.claim(9, self);
    EXPECT_EQ(slots.used(), 1u);
    kernel.count(9, first, 5);
    kernel.add(9, far, 6);  // its mark is yet to come: the slot is looked at for the last time, so all of it is read
    kernel[9].in_call[0] = 1;
    kernel.retire(9);
    slots.fold();
    EXPECT_EQ(slots.totals()[first], 5u);
    EXPECT_EQ(slots.totals()[far], 6u);
    EXPECT_EQ(slots.used(), 0u);
    EXPECT_EQ(kernel.use().freed, 1u);
    std::span bytes(reinterpret_cast<const char*>(&kernel[9]), sizeof(slot));
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 0), static_cast<int>(bytes.size())) << "nothing is left of it";
    slots.fold(true);
    EXPECT_EQ(sum(slots.totals()), 11u);
    EXPECT_EQ(kernel.use().freed, 1u) << "once";
}

TEST(Slots, FreeTheRetiredWhoseMarkWasLost) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.claim(9, self);
    kernel.add(9, first, 5);
    kernel[9].tag |= ROW_RETIRED;
    slots.fold();
    EXPECT_EQ(slots.used(), 1u);
    slots.fold(true);
    EXPECT_EQ(slots.totals()[first], 5u);
    EXPECT_EQ(slots.used(), 0u);
}

TEST(Slots, CountTheNextOwnerFromZero) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    std::vector<Told> told;
    record_into(slots, told);
    kernel.claim(9, self, 100);
    kernel.count(9, first, 50);
    slots.fold();
    kernel.retire(9);
    slots.fold();
    ASSERT_TRUE(kernel.claim(9, self, 200));
    kernel.count(9, first, 3);
    slots.fold();
    EXPECT_EQ(slots.totals()[first], 53u);
    EXPECT_EQ(told, (std::vector<Told>{{100, first, 50}, {200, first, 3}}));
}

TEST(Slots, PassOverAMarkOnAFreeSlot) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.mark(9, 0xff);
    slots.fold();
    slots.fold(true);
    EXPECT_EQ(sum(slots.totals()), 0u);
    EXPECT_EQ(kernel.use().freed, 0u);
    EXPECT_EQ(kernel.dirty(9), 0);
}

// Its process is not written yet: whoever listens could not tell whose the counts are.
TEST(Slots, LeaveAJustClaimedSlotForLater) {
    for (bool sweep : {false, true}) {
        Programs kernel(64);
        Slots slots(kernel.memory());
        std::vector<Told> told;
        record_into(slots, told);
        kernel[9].tag = self;
        kernel.count(9, far, 2);
        slots.fold(sweep);
        EXPECT_EQ(told, std::vector<Told>());
        EXPECT_NE(kernel.dirty(9) & 1 << LINE_OF(far), 0) << "it is looked at again";
        kernel[9].tgid = 77;
        slots.fold();
        EXPECT_EQ(told, (std::vector<Told>{{77, far, 2}}));
    }
}

TEST(Slots, TellWhoDidWhatHowOften) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    std::vector<Told> told;
    record_into(slots, told);
    kernel.claim(1, self, 10);
    kernel.claim(2, self, 20);
    kernel.count(1, first, 3);
    kernel.count(2, first, 4);
    kernel.count(2, far, 5);
    slots.fold();
    EXPECT_EQ(told, (std::vector<Told>{{10, first, 3}, {20, first, 4}, {20, far, 5}}));
    told.clear();
    kernel.count(1, first, 1);
    slots.fold(true);
    EXPECT_EQ(told, (std::vector<Told>{{10, first, 1}}));
    told.clear();
    slots.listen({});
    kernel.count(1, first, 1);
    slots.fold();
    EXPECT_EQ(told, std::vector<Told>());
    EXPECT_EQ(slots.totals()[first], 9u) << "counted, listened to or not";
}

TEST(Slots, CountWhatIsNobodys) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    std::vector<Told> told;
    record_into(slots, told);
    kernel.shared().unattributed[last] = 4;
    slots.fold();
    slots.fold();
    kernel.shared().unattributed[last] = 5;
    slots.fold(true);
    EXPECT_EQ(slots.totals()[last], 5u);
    EXPECT_EQ(told, (std::vector<Told>{{0, last, 4}, {0, last, 1}}));
}

TEST(Slots, GoOnWhenACounterWrapsAround) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.claim(1, self);
    kernel.count(1, first, UINT64_MAX);
    slots.fold();
    std::vector<Told> told;
    record_into(slots, told);
    kernel.count(1, first, 5);
    slots.fold();
    EXPECT_EQ(kernel[1].counters[first], 4u);
    EXPECT_EQ(told, (std::vector<Told>{{self, first, 5}}));
}

TEST(Slots, WorkWhenTheSmallestTableIsFull) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    uint64_t made = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 64; i++) {
            ASSERT_TRUE(kernel.claim(i, self));
            kernel.count(i, first, i + 1);
            made += i + 1;
        }
        EXPECT_EQ(slots.used(), 64u);
        slots.fold(round == 1);
        EXPECT_EQ(slots.totals()[first], made);
        for (size_t i = 0; i < 64; i++) kernel.retire(i);
        slots.fold(round == 1);
        EXPECT_EQ(slots.used(), 0u);
    }
    EXPECT_EQ(slots.count(), 64u);
}

TEST(Slots, PassOnWhatTheKernelSays) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    kernel.use().rejected = 3;
    kernel.shared().late = 4;
    kernel.shared().lost_results[0] = 5;
    kernel.shared().lost_results[HOOKS - 1] = 6;
    EXPECT_EQ(slots.overflowed(), 3u);
    EXPECT_EQ(slots.late(), 4u);
    EXPECT_EQ(slots.lost_results(), 11u);
}

TEST(Slots, TotalsNeverFall) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    std::minstd_rand random(1);
    Counters made{}, before{};
    auto below = [&](size_t n) { return random() % n; };
    for (int step = 0; step < 20000; step++) {
        size_t i = below(64);
        switch (below(8)) {
            case 0: kernel.claim(i, self); break;
            case 1:
                if (kernel[i].tag && !(kernel[i].tag & ROW_RETIRED)) kernel.retire(i);
                break;
            case 2: {
                slots.fold(below(4) == 0);
                for (size_t c = 0; c < made.size(); c++) ASSERT_GE(slots.totals()[c], before[c]);
                before = slots.totals();
                break;
            }
            default:
                if (kernel[i].tag && !(kernel[i].tag & ROW_RETIRED)) {
                    size_t c = below(COUNTERS);
                    uint64_t n = below(1000);
                    kernel.count(i, static_cast<int>(c), n);
                    made[c] += n;
                }
        }
    }
    slots.fold();
    EXPECT_EQ(slots.totals(), made);
    size_t in_use = 0;
    for (size_t i = 0; i < 64; i++) in_use += kernel[i].tag != 0;
    EXPECT_EQ(slots.used(), in_use);
}

// A thread that is gone without having retired its slot: a child's, waited for.
class GoneThreads : public testing::Test {
protected:
    void SetUp() override {
        struct stat about;
        if (stat("/proc/self/ns/pid", &about) != 0 || about.st_ino != 0xEFFFFFFC)
            GTEST_SKIP() << "needs the first pid namespace";
        pid_t child = fork();
        if (child == 0) _exit(0);
        ASSERT_EQ(waitpid(child, nullptr, 0), child);
        gone = static_cast<uint32_t>(child);
    }
    uint32_t gone = 0;
};

TEST_F(GoneThreads, AreFreedWhenSlotsRunShort) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    for (size_t i = 0; i < 40; i++) {
        kernel.claim(i, i % 2 ? self : gone, i % 2 ? self : gone);
        kernel.add(i, first, 1);
    }
    slots.fold();
    EXPECT_EQ(slots.used(), 40u) << "only a sweep looks for them";
    slots.fold(true);
    EXPECT_EQ(slots.used(), 20u);
    EXPECT_EQ(slots.totals()[first], 40u);
    for (size_t i = 0; i < 40; i++) EXPECT_EQ(kernel[i].tag, i % 2 ? self : 0) << i;
}

TEST_F(GoneThreads, AreLeftWhileThereIsRoom) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    for (size_t i = 0; i < 32; i++) kernel.claim(i, gone, gone);
    slots.fold(true);
    EXPECT_EQ(slots.used(), 32u);
}

// The programs run while the plugin folds: threads that live and die in a table that is too small for them, one of
// them for long. The last sweep finds what marks lost to races did not tell, and then nothing may be missing.
TEST(Slots, LoseNothingWhileTheKernelCounts) {
    Programs kernel(64);
    Slots slots(kernel.memory());
    uint64_t told = 0;
    slots.listen({.owner = [](const slot& who) { return Owner{who.tgid}; },
                  .counted =
                      [&told](Owner who, int, uint64_t n) {
                          EXPECT_EQ(who.process, self);
                          told += n;
                      }});
    constexpr int writers = 3, lives = 5000, events = 10;
    Counters made[writers]{};
    std::atomic<int> running = writers;
    std::atomic<bool> in_order = true;
    auto live = [&](Counters& mine, unsigned seed) {
        std::minstd_rand random(seed);
        auto tid = static_cast<uint32_t>(gettid());
        for (int life = 0; life < lives; life++) {
            size_t i = random() % 64;
            while (in_order && !kernel.claim(i, tid)) i = (i + 1) % 64;
            for (int event = 0; event < (life % 500 ? events : events * 1000); event++) {
                size_t c = random() % COUNTERS;
                kernel.count(i, static_cast<int>(c), 1);
                mine[c]++;
            }
            kernel.retire(i);
        }
        running--;
    };
    std::vector<std::jthread> threads;
    threads.reserve(writers);
    for (int w = 0; w < writers; w++) threads.emplace_back(live, std::ref(made[w]), static_cast<unsigned>(w + 1));
    uint64_t folds = 0, before = 0;
    while (running) {
        slots.fold(++folds % 16 == 0);
        in_order = in_order && sum(slots.totals()) >= before;
        before = sum(slots.totals());
    }
    threads.clear();
    ASSERT_TRUE(in_order) << "the totals fell";
    slots.fold(true);
    Counters all{};
    for (const Counters& mine : made)
        for (size_t c = 0; c < all.size(); c++) all[c] += mine[c];
    EXPECT_EQ(slots.totals(), all);
    EXPECT_EQ(told, sum(all));
    EXPECT_EQ(slots.used(), 0u);
    EXPECT_EQ(kernel.use().claimed, static_cast<uint64_t>(writers) * lives);
}

// A slot that is claimed while the sweep is on its way is told of by its mark: the sweep must leave it or count it.
TEST(Slots, SweepAwayNoMarkOfASlotJustClaimed) {
    constexpr size_t count = 1 << 16;
    Programs kernel(count);
    Slots slots(kernel.memory());
    uint64_t made = 0;
    std::jthread writer([&] {
        std::vector<uint32_t> order(count);
        std::iota(order.begin(), order.end(), 0u);
        std::shuffle(order.begin(), order.end(), std::minstd_rand(1));
        for (uint32_t i : order) {
            kernel.claim(i, self);
            kernel.count(i, first, 1);
            made++;
            for (int pause = 0; pause < 50; pause++) asm volatile("");
        }
    });
    while (get(kernel.use().claimed) < count - count / 8) slots.fold(true);
    writer.join();
    slots.fold();
    EXPECT_EQ(slots.totals()[first], made);
}

// The table by process, a real one.
class Overflow : public testing::Test {
protected:
    void SetUp() override {
        fd = bpf_map_create(BPF_MAP_TYPE_HASH, "test_overflow", sizeof(uint32_t), sizeof(slot), 1024, nullptr);
        if (fd < 0) GTEST_SKIP() << "the kernel lets this user make no map: " << std::strerror(errno);
        SlotMemory memory = kernel.memory();
        memory.overflow_fd = fd;
        slots = std::make_unique<Slots>(memory);
    }
    ~Overflow() override {
        if (fd >= 0) close(fd);
    }

    void announce() { kernel.use().rejected++; }
    void count(uint32_t tgid, int counter, uint64_t n) {
        slot row{};
        bpf_map_lookup_elem(fd, &tgid, &row);
        row.tgid = tgid;
        row.counters[counter] += n;
        ASSERT_EQ(bpf_map_update_elem(fd, &tgid, &row, BPF_ANY), 0);
    }

    int fd = -1;
    Programs kernel{64};
    std::unique_ptr<Slots> slots;
};

TEST_F(Overflow, IsCountedByProcess) {
    std::vector<Told> told;
    record_into(*slots, told);
    announce();
    count(100, first, 2);
    slots->fold();
    announce();
    count(100, first, 1);
    announce();
    count(200, last, 4);
    slots->fold();
    slots->fold();
    EXPECT_EQ(slots->totals()[first], 3u);
    EXPECT_EQ(slots->totals()[last], 4u);
    EXPECT_EQ(told.size(), 3u);
    EXPECT_EQ(told[0], (Told{100, first, 2}));
}

// An event is announced before it is added.
TEST_F(Overflow, IsReadOnceMoreAfterTheLastEvent) {
    announce();
    slots->fold();
    count(100, first, 2);
    slots->fold();
    EXPECT_EQ(slots->totals()[first], 2u);
}

TEST_F(Overflow, IsEmptiedOfTheQuietAndCountsThemAgain) {
    for (uint32_t tgid = 1; tgid <= 600; tgid++) count(tgid, first, 1);
    announce();
    slots->fold();
    count(1, first, 1);
    announce();
    slots->fold();
    EXPECT_EQ(slots->totals()[first], 601u);
    uint32_t busy = 1, quiet = 2;
    slot row;
    EXPECT_EQ(bpf_map_lookup_elem(fd, &busy, &row), 0);
    EXPECT_NE(bpf_map_lookup_elem(fd, &quiet, &row), 0);
    count(2, first, 5);
    announce();
    slots->fold();
    EXPECT_EQ(slots->totals()[first], 606u);
}

}  // namespace
