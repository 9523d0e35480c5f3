// An IP address of either family.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

struct Address {
    // Network order. IPv4 is ::ffff:a.b.c.d: what an IPv6 socket calls an IPv4 peer is that peer.
    std::array<uint8_t, 16> bytes{};

    static Address v4(uint32_t network_order);
    static std::optional<Address> parse(std::string_view text);

    bool is_v4() const;
    std::string text() const;
    bool operator==(const Address&) const = default;
    bool operator<(const Address& other) const { return bytes < other.bytes; }
};

template <>
struct std::hash<Address> {
    size_t operator()(const Address& address) const {
        uint64_t half[2];
        std::memcpy(half, address.bytes.data(), sizeof half);
        // Both halves of the product: what tells IPv4 addresses apart is in the upper bits of the second half.
        auto product = static_cast<unsigned __int128>(half[0] ^ 0x9e3779b97f4a7c15) * (half[1] ^ 0xd6e8feb86659fd93);
        return static_cast<size_t>(product ^ (product >> 64));
    }
};
