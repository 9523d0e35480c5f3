// Tables: rows that the programs in the kernel claim, fill and mark, and that the plugin reads and frees, in memory that both
// have mapped. Read by clang (BPF C) and by g++.
#pragma once
#include <linux/types.h>

// A row begins with its tag: 0 while it is free; with ROW_RETIRED added to it, whoever had it leaves it alone. Only the
// plugin frees a row. It is found by open addressing from TABLE_HASH(key) >> shift; the number of rows is a power of 2.
#define ROW_RETIRED 0x80000000u
#define TABLE_PROBES 8
#define TABLE_HASH(key) ((__u32)(key) * 2654435761u)

// A byte for each row says which of its cache lines have changed: a bit a line, the last bit for all lines from there on.
#define LINE_WORDS 8
#define LINE_OF_WORD(word) ((word) / LINE_WORDS > 7 ? 7 : (word) / LINE_WORDS)

#define TABLES(TABLE) TABLE(slots) TABLE(connections)
#define TABLE_NUMBER(name) TABLE_##name,
enum { TABLES(TABLE_NUMBER) TABLE_COUNT };

struct table_size {
    __u32 mask;     // rows - 1
    __u32 shift;    // 32 - log2(rows)
    __u32 wake_at;  // used rows at which the plugin is to fold before its time
};
struct table_use {
    __u64 claimed;   // rows ever claimed
    __u64 freed;     // rows ever freed, by the plugin
    __u64 rejected;  // events that found no row
};
