// Tables: how a program finds, claims and retires a row, and tells the plugin that it has changed. See shared/table.h.
#pragma once
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "shared/settings.h"

const volatile struct settings settings SEC(".rodata.settings");
struct state state SEC(".data.state");

struct marks {
	__u8 of_row[64];
};

// The maps of a table; the plugin sets how many rows it has.
#define TABLE(name, type_of_row, rows)                       \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_ARRAY);            \
		__uint(map_flags, BPF_F_MMAPABLE);           \
		__uint(max_entries, rows);                   \
		__type(key, __u32);                          \
		__type(value, type_of_row);                  \
	} name SEC(".maps");                                 \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_ARRAY);            \
		__uint(map_flags, BPF_F_MMAPABLE);           \
		__uint(max_entries, (rows) / 64);            \
		__type(key, __u32);                          \
		__type(value, struct marks);                 \
	} name##_marks SEC(".maps");                         \
	CLAIMS_OF_TABLE(name, rows)

#ifndef HAS_COMPARE_EXCHANGE
// Kernels before 5.12 have no compare-and-exchange for BPF: who inserts a row's number here has claimed the row. The plugin
// deletes the number when it frees the row.
#define CLAIMS_OF_TABLE(name, rows)                          \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_HASH);             \
		__uint(max_entries, rows);                   \
		__type(key, __u32);                          \
		__type(value, __u32);                        \
	} name##_claims SEC(".maps");
#define CLAIMS(name) (&name##_claims)

static __always_inline bool claim(__u32 *place, void *claims, __u32 index, __u32 tag)
{
	if (bpf_map_update_elem(claims, &index, &tag, BPF_NOEXIST))
		return false;
	*(volatile __u32 *)place = tag;
	return true;
}

static __always_inline void set_tag(__u32 *place, __u32 tag)
{
	barrier(); // the compiler leaves before it what was counted before it
	*(volatile __u32 *)place = tag;
}
#else
#define CLAIMS_OF_TABLE(name, rows)
#define CLAIMS(name) NULL

static __always_inline bool claim(__u32 *place, void *claims, __u32 index, __u32 tag)
{
	return __sync_val_compare_and_swap(place, 0, tag) == 0;
}

static __always_inline void set_tag(__u32 *place, __u32 tag)
{
	__sync_lock_test_and_set(place, tag); // an exchange: the counters are seen before it
}
#endif

static __always_inline __u32 place_of_key(__u32 table, __u32 key)
{
	return TABLE_HASH(key) >> settings.tables[table].shift;
}

// The row from that place on for which `matches`, an expression of `each`, holds, and its number in *index; NULL if there is none.
#define FIND_ROW(type_of_row, name, place, index, matches)                                         \
	({                                                                                         \
		type_of_row *found = NULL;                                                         \
		_Pragma("clang loop unroll(full)") for (int probe = 0; probe < TABLE_PROBES; probe++) { \
			__u32 at = ((place) + probe) & settings.tables[TABLE_##name].mask;         \
			type_of_row *each = bpf_map_lookup_elem(&name, &at);                       \
			if (each && (matches)) {                                                  \
				*(index) = at;                                                     \
				found = each;                                                      \
				break;                                                             \
			}                                                                          \
		}                                                                                  \
		found;                                                                             \
	})

static void ask_to_fold(void);

// A free row from that place on, now that of `tag`, and its number in *index; NULL if there is none.
#define CLAIM_ROW(name, place, tag, index) claim_row(&name, CLAIMS(name), TABLE_##name, place, tag, index)
static __always_inline void *claim_row(void *rows, void *claims, __u32 table, __u32 place, __u32 tag, __u32 *index)
{
#pragma clang loop unroll(full) // 5.10 takes no loop whose head follows a call
	for (int probe = 0; probe < TABLE_PROBES; probe++) {
		__u32 at = (place + probe) & settings.tables[table].mask;
		__u32 *row = bpf_map_lookup_elem(rows, &at);
		if (!row || *row || !claim(row, claims, at, tag))
			continue;
		__sync_fetch_and_add(&state.tables[table].claimed, 1);
		if (state.tables[table].claimed - state.tables[table].freed > settings.tables[table].wake_at)
			ask_to_fold();
		*index = at;
		return row;
	}
	return NULL;
}

static __always_inline void reject(__u32 table)
{
	__sync_fetch_and_add(&state.tables[table].rejected, 1);
}

// Tells the plugin which lines have changed: last of all, and read first, so that a busy row's byte stays shared between
// CPUs.
static __always_inline void set_mark(void *marks, __u32 index, __u8 lines)
{
	__u32 at = index / 64;
	struct marks *of = bpf_map_lookup_elem(marks, &at);

	if (of && (of->of_row[index % 64] & lines) != lines)
		of->of_row[index % 64] |= lines;
}
