#include "base/address.h"
#include <arpa/inet.h>
#include <algorithm>

namespace {

constexpr std::array<uint8_t, 12> v4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address Address::v4(uint32_t network_order) {
    Address address;
    std::copy(v4_prefix.begin(), v4_prefix.end(), address.bytes.begin());
    std::memcpy(&address.bytes[12], &network_order, 4);
    return address;
}

std::optional<Address> Address::parse(std::string_view text) {
    char terminated[INET6_ADDRSTRLEN] = {};
    if (text.size() >= sizeof terminated) return {};
    text.copy(terminated, text.size());
    if (std::strlen(terminated) != text.size()) return {};
    Address address;
    uint32_t number;
    if (inet_pton(AF_INET, terminated, &number) == 1) return v4(number);
    if (inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) return address;
    return {};
}

bool Address::is_v4() const { return std::equal(v4_prefix.begin(), v4_prefix.end(), bytes.begin()); }

std::string Address::text() const {
    char text[INET6_ADDRSTRLEN];
    return is_v4() ? inet_ntop(AF_INET, &bytes[12], text, sizeof text)
                   : inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
}
