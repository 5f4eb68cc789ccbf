#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "clusterd/face.h"

namespace ha::clusterd {

class BusFace;

using BusValue = std::variant<bool, std::uint64_t, std::string, std::vector<std::string>>;

/// One object with the values of its properties at one moment. Names are those of dbus/*.xml.
struct BusObject {
    BusFace* face = nullptr;
    const char* interface = nullptr;
    std::string name;  // of the module or node; empty for the cluster
    std::vector<std::pair<const char*, BusValue>> properties;

    /// nullptr: no such property.
    [[nodiscard]] const BusValue* find(const char* property) const;
};
using BusObjects = std::map<std::string, BusObject>;  // by object path

/// All objects that show `view`.
BusObjects bus_objects(const ClusterView& view, BusFace* face);

/// Names of the properties in which two states of one object differ.
std::vector<const char*> changed_properties(const BusObject& before, const BusObject& after);

}  // namespace ha::clusterd
