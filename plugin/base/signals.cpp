#include "base/signals.h"
#include <initializer_list>

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) sigaddset(&set, s);
    return set;
}

void hold_signals() {
    sigset_t set = ending_signals();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

bool has_held_signal() {
    sigset_t come, set = ending_signals();
    sigpending(&come);
    return sigandset(&come, &come, &set) == 0 && !sigisemptyset(&come);
}
