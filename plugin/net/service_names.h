// The names of services: the user's, then those of the system's table, /etc/services.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

std::string services_table();  // the text of /etc/services; "" if there is none

class ServiceNames {
public:
    // `own`: [service name], which holds for every protocol. `table`: the text of /etc/services. `show_table`: whether
    // its names stand for ports; what a name means is looked up in it all the same.
    ServiceNames(std::map<uint16_t, std::string> own, std::string_view table, bool show_table);

    std::string name(uint16_t port, uint8_t protocol) const;  // IPPROTO_TCP or IPPROTO_UDP; the number if it has none

    // The ports, of either protocol, of a service by its name or another that it goes by; in any case of letters.
    std::vector<uint16_t> ports(std::string_view name) const;

private:
    struct Entry {
        uint32_t key;
        uint32_t name;  // where it begins in names_
    };
    const char* text(const Entry& entry) const { return &names_[entry.name]; }

    std::map<uint16_t, std::string> own_;
    bool show_table_;
    std::vector<Entry> entries_;  // by key; of several names of one, first the proper one. The table can be long
    std::string names_;           // each with a zero at its end
};
