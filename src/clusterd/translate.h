#pragma once

#include <optional>
#include <string>

#include "api/message_ids.h"
#include "api/worker.h"
#include "clusterd/face.h"
#include "core/cluster/machine.h"
#include "core/config/config.h"

// Between the machine's words (core/cluster/events.h), the workers' (api/worker.h) and people's.

namespace ha::clusterd {

struct Addressed {
    api::WorkerKind kind;
    api::Order order;
};

/// The order an effect means, for the effects that are one order to one worker.
std::optional<Addressed> translate(const cluster::Effect& effect,
                                   const config::ModuleConfig& module, const Id128& module_id);
/// The event a fact means to the machine; none: it is not for the machine.
std::optional<cluster::Event> to_event(const api::Fact& fact);

/// "PeerNotReady" from "peer-not-ready": the last part of a D-Bus error name.
std::string error_name(const std::string& code);
api::MessageId message_id(const std::string& tell_code);
/// "alone (transient)".
std::string name_of(const cluster::Status& status);
const char* name_of(cluster::AtBoot at_boot);
/// Why the preferred node does not serve; empty: it does, or this node has no word in it.
std::string preference_text(cluster::Preference preference, const config::ModuleConfig& module);
/// `hardware`: within how long the machine's own watchdog resets it; zero: it has none.
std::string fencing_text(Duration hardware);
std::string policy_text(const config::ModuleConfig& module, bool witness_decides);
/// None: it changed nothing alone.
std::optional<ChangedAloneView> view_of(const api::ChangedAlone& changed);
/// "at least 12 operations, 4096 bytes written".
std::string changed_text(const ChangedAloneView& changed);
/// A sentence on both nodes, to be put in front; empty: neither changed anything alone.
std::string both_changed(const ModuleView& view);
/// What `chain`, which `node` knows, says of its own copy.
void fill_membership(NodeView& view, const cluster::Chain& chain, bool outdated,
                     cluster::Node node);
void fill_peer(NodeView& view, const std::optional<cluster::Report>& report, bool silent,
               cluster::Node peer);

}  // namespace ha::clusterd
