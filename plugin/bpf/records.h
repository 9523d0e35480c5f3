// The records of the kernel side (kernel-collector/shared/record.h), each handed to whoever has asked for its type.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include "shared/record.h"

template <class T>
constexpr unsigned type_of_record = RECORD_TYPES;
#define TYPE_OF_RECORD(name) \
    template <>              \
    inline constexpr unsigned type_of_record<name> = RECORD_##name;
RECORDS(TYPE_OF_RECORD)
#undef TYPE_OF_RECORD

class Records {
public:
    template <class T>
    void on(auto listener) {
        static_assert(type_of_record<T> < RECORD_TYPES, "a record of RECORDS()");
        listeners_[type_of_record<T>] = [listener = std::move(listener)](const record& r) {
            listener(reinterpret_cast<const T&>(r));
        };
    }

    // Hands over one record of that many bytes. What is of no known type, or not as long as its type, is counted instead.
    void consume(const void* data, size_t bytes) {
        auto& r = *static_cast<const record*>(data);
        if (bytes < sizeof r || r.type >= RECORD_TYPES || r.bytes != bytes || bytes != sizes[r.type])
            malformed_++;
        else if (listeners_[r.type])
            listeners_[r.type](r);
    }
    uint64_t malformed() const { return malformed_; }

private:
#define SIZE_OF_RECORD(name) sizeof(name),
    static constexpr size_t sizes[] = {RECORDS(SIZE_OF_RECORD)};
#undef SIZE_OF_RECORD
    std::array<std::function<void(const record&)>, RECORD_TYPES> listeners_;
    uint64_t malformed_ = 0;
};
