// Which connections are shown: the lists `ports`, `ips` and `hostnames` of ebpf.conf.
#pragma once
#include <bitset>
#include <string>
#include <string_view>
#include <vector>
#include "base/address.h"
#include "base/config.h"
#include "net/service_names.h"

// In each list a word says what is wanted, with ! before it what is not. What is not wanted wins, wherever it stands; a
// list that wants nothing by name wants everything else. A word that is not understood is told in `complaints` and costs
// itself alone.
class NetFilter {
public:
    // `resolves`: whether host names are looked up; `hostnames` holds for those alone.
    NetFilter(const ListSetting& ports, const ListSetting& ips, const ListSetting& hostnames, bool resolves,
              const ServiceNames& services, std::vector<std::string>& complaints);

    bool port(uint16_t port) const { return ports_[port]; }
    bool address(const Address& address) const;
    bool host(std::string_view name) const;
    bool asks_hosts() const { return asks_hosts_; }  // whether host() refuses anything

private:
    using Number = unsigned __int128;
    struct Range {
        Number first, last;
    };
    class Ranges;

    std::bitset<65536> ports_;
    std::vector<Range> addresses_;  // sorted, with gaps between them
    std::vector<std::string> hosts_, no_hosts_;
    bool asks_hosts_ = false;
};
