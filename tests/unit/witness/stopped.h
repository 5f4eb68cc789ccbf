#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

namespace ha {

/// A child stands still when this returns, all its threads; kill(2) alone only asks for it.
inline void stop_child(pid_t pid) {
    siginfo_t info{};
    if (::kill(pid, SIGSTOP) == 0) ::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED);
}

}  // namespace ha
