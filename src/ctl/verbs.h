#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/config/config.h"
#include "ctl/outcome.h"
#include "ctl/status_view.h"

// What hamirrorctl can do; main.cc gives each verb its words on the command line. A verb writes its
// result to standard output and returns why it failed, if it did; main() writes that to standard
// error.

namespace ha::ctl {

/// Of all verbs together; each looks at its own.
struct Options {
    std::string module;
    std::string file;
    std::string host;
    std::string name;
    std::string to;
    std::vector<std::string> addresses;
    bool as_source = false;
    bool force = false;
    bool yes = false;
    std::optional<KnownStatus> shown;  // to the operator who forces
    bool all = false;
    bool wait = false;
    bool when_synced = false;
    int timeout_s = 120;
    bool dry_run = false;
    bool without_peer = false;
    bool watch = false;
    bool json = false;
    bool follow = false;
    int count = 20;
    int lines = 0;  // 0: not said
    std::string since;
    int port = 7400;
    int witness_port = 7401;
    config::EtcdConfig etcd;  // endpoints as they were given; none: a hamirror-witness
};

Outcome<> run_status(const Options& options);
Outcome<> run_start(const Options& options);
Outcome<> run_stop(const Options& options);
Outcome<> run_swap(const Options& options);
Outcome<> run_restart(const Options& options);
Outcome<> run_failover_on(const Options& options);
Outcome<> run_failover_off(const Options& options);
Outcome<> run_enable(const Options& options);
Outcome<> run_disable(const Options& options);
Outcome<> run_apply(const Options& options);
Outcome<> run_events(const Options& options);
/// Returns only if it failed.
Outcome<> run_logs(const Options& options);
Outcome<> run_cluster_init(const Options& options);
Outcome<> run_cluster_token(const Options& options);
Outcome<> run_cluster_pair(const Options& options);
Outcome<> run_cluster_status(const Options& options);
Outcome<> run_witness_add(const Options& options);
Outcome<> run_witness_remove(const Options& options);
Outcome<> run_version(const Options& options);

}  // namespace ha::ctl
