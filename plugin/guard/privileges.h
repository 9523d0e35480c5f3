// What the plugin may do: raised at the start from what its file permits, given up when it has attached.
#pragma once
#include <string>
#include "guard/needs.h"

// Where the plugin has more rights than who starts it, it takes little from him: of the environment only NETDATA_… and what
// the terminal and the language are.
void scrub_environment();
// The folder where the host's root is, by NETDATA_HOST_PREFIX; "" is this one's. Where we have more rights than who starts
// us, only one that root alone can change.
std::string host_root();

// Makes effective what is permitted. Throws if the file is setuid, unless the plugin was built to be.
void raise_privileges();

// Which capabilities this process has not got and what goes without them, "" if none is missed; and how to give them.
std::string lacking_privileges();
std::string privileges_advice();

// While it lives, nothing but the user's own rights is in force: what the agent's user can write must not make us read what
// it cannot. Those of root are all that there are.
class OwnRights {
public:
    OwnRights();
    ~OwnRights();
    OwnRights(const OwnRights&) = delete;
    OwnRights& operator=(const OwnRights&) = delete;

private:
    cap_t before_ = nullptr;
};

// Gives up, for good, all capabilities but those that are needed.
void drop_privileges(const Needs& needs);
