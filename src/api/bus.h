#pragma once

// The public face of a node on the system bus. dbus/*.xml describes the interfaces and is the
// reference.

namespace ha::api::bus {

inline constexpr const char* kName = "org.hamirror";
/// Everything lies below it; org.freedesktop.DBus.ObjectManager is here.
inline constexpr const char* kRoot = "/org/hamirror";
inline constexpr const char* kClusterPath = "/org/hamirror/cluster";
/// Prefixes; the name follows as sd_bus_path_encode(3) writes it.
inline constexpr const char* kNodePrefix = "/org/hamirror/node";
inline constexpr const char* kModulePrefix = "/org/hamirror/module";

inline constexpr const char* kCluster = "org.hamirror.Cluster1";
inline constexpr const char* kNode = "org.hamirror.Node1";
inline constexpr const char* kModule = "org.hamirror.Module1";

/// Errors are org.hamirror.Error.CODE, CODE in CamelCase; a caller without the right to change
/// things gets org.freedesktop.DBus.Error.AccessDenied.
inline constexpr const char* kErrorPrefix = "org.hamirror.Error.";
inline constexpr const char* kAccessDenied = "org.freedesktop.DBus.Error.AccessDenied";

}  // namespace ha::api::bus
