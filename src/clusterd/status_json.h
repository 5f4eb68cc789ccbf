#pragma once

#include <string>

#include "clusterd/face.h"

namespace ha::clusterd {

/// What Status() of org.hamirror.Cluster1 returns and its signal Changed carries: one JSON object
/// on one line, described in docs/status-json.md. Valid UTF-8 whatever the view holds.
std::string to_json(const ClusterView& view);

/// D-Bus strings must be UTF-8 and paths may hold any bytes: the others become U+FFFD.
std::string to_utf8(const std::string& text);

/// "peer-not-ready" -> "PeerNotReady": a code as the last part of a D-Bus error name. Never empty.
std::string error_member(const std::string& code);

}  // namespace ha::clusterd
