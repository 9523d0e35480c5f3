// Owners of what a C library gives: unique_ptr's deleter, made of the library's own function.
#pragma once

template <auto destroy>
struct Destroy {
    void operator()(auto* p) const { destroy(p); }
};
