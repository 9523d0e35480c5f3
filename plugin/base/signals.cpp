#include "base/signals.h"
#include <sys/signalfd.h>
#include <unistd.h>
#include <initializer_list>
#include "base/error.h"

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

int signal_descriptor() {
    sigset_t set = ending_signals();
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return check(signalfd(-1, &set, SFD_CLOEXEC), "watch the signals");
}

int read_signal(int descriptor) {
    signalfd_siginfo signal;
    return read(descriptor, &signal, sizeof signal) == sizeof signal ? static_cast<int>(signal.ssi_signo) : 0;
}
