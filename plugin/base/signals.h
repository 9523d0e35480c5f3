// The signals that end the plugin or have it read its rules again: held back until somebody looks for them.
#pragma once
#include <csignal>

sigset_t ending_signals();

// From here on they wait until the loop looks for them.
void hold_signals();
bool has_held_signal();  // one of them has come

int signal_descriptor();          // they are read there from now on, and SIGWINCH
int read_signal(int descriptor);  // 0: there was none
