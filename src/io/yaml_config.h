#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/config/config.h"

// Reads and writes cluster.yaml and modules/NAME.yaml. Reading finds all problems of a file at
// once, each with its line; a file with any problem gives no value.

namespace ha::io {

inline constexpr const char* kConfigDirectory = "/etc/hamirror";
inline constexpr std::size_t kMaxConfigText = std::size_t{1} << 20;

struct FileProblem {
    std::string file;
    int line = 0;  // from 1; 0: the file as a whole
    int column = 0;
    std::string text;

    /// "FILE:LINE:COLUMN: TEXT"
    [[nodiscard]] std::string message() const;
};

template <typename T>
struct Parsed {
    std::optional<T> value;
    std::vector<FileProblem> problems;

    /// All messages, one a line.
    [[nodiscard]] std::string messages() const {
        std::string all;
        for (const auto& problem : problems) all += problem.message() + "\n";
        return all;
    }
};

/// `file` is the name for messages. Checks everything core/config's check() does. One node alone
/// is accepted: the cluster is not paired yet.
Parsed<config::ClusterConfig> parse_cluster(std::string_view text, const std::string& file);
/// The section `witness` alone, as the control protocol and the bus carry it.
inline constexpr std::size_t kMaxWitnessText = 4096;
Parsed<config::WitnessConfig> parse_witness(std::string_view text, const std::string& file);
/// With `others`: check_against() too. With `system`: what it finds, too (check_system()); it may
/// be given a half-read module, and what it says of fields that were not read well is left out.
using ModuleCheck = std::function<std::vector<config::Problem>(const config::ModuleConfig&)>;
Parsed<config::ModuleConfig> parse_module(std::string_view text, const std::string& file,
                                          const config::ClusterConfig& cluster,
                                          const std::vector<config::ModuleConfig>& others = {},
                                          const ModuleCheck& system = {});

/// The whole file, at most kMaxConfigText.
Result<std::string> read_config_text(const std::string& path);
/// All of DIRECTORY/modules/*.yaml by name, checked against each other. An unreadable or wrong file
/// is among the problems; the value holds the good ones and is always there.
Parsed<std::vector<config::ModuleConfig>> load_modules(const std::string& directory,
                                                       const config::ClusterConfig& cluster);

/// The effective configuration, defaults written out; parses back to the same.
std::string render(const config::ClusterConfig& cluster);
std::string render(const config::WitnessConfig& witness);
std::string render(const config::ModuleConfig& module);

/// The text with "port: PORT" added at its end. Error: the result does not say so (the text is not
/// in block style); then the administrator must write the port.
Result<std::string> with_port(const std::string& text, std::uint16_t port);

/// SHA-256, 64 hexadecimal digits: the version of a file both nodes compare.
std::string content_hash(std::string_view text);

}  // namespace ha::io
