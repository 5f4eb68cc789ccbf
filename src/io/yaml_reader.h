#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "io/yaml_config.h"

// Included by yaml_config.cc and yaml_reader.cc alone: yaml-cpp costs seconds a file.

namespace ha::io {

/// Walks one YAML document, collects problems, and remembers where each field stands so that
/// checks on the finished struct can name the line.
class YamlReader {
  public:
    /// `read` gets the value and its place ("timing.heartbeat").
    struct Key {
        const char* name;
        std::function<void(const YAML::Node&, const std::string& where)> read;
        bool required = false;
    };

    explicit YamlReader(std::string file) : file_(std::move(file)) {}

    /// Nothing, and a problem noted, if the text is not one YAML document with something in it.
    std::optional<YAML::Node> load(std::string_view text);

    /// `what` completes "in ..."; `later` are documented keys this version does not have.
    void map(const YAML::Node& node, const std::string& where, const char* what,
             const std::vector<Key>& keys, std::initializer_list<const char*> later = {});
    void list(const YAML::Node& node, const std::string& where, const char* of_what,
              const std::function<void(const YAML::Node&, const std::string& where)>& read);

    void text(const YAML::Node& node, const std::string& where, std::string& out);
    void boolean(const YAML::Node& node, const std::string& where, bool& out);
    void port(const YAML::Node& node, const std::string& where, std::uint16_t& out);
    void duration(const YAML::Node& node, const std::string& where, Duration& out);
    void texts(const YAML::Node& node, const std::string& where, const char* of_what,
               std::vector<std::string>& out);

    void problem(const YAML::Node& node, const std::string& text);
    void problem(const config::Problem& problem);
    [[nodiscard]] bool has_problems() const { return !problems_.empty(); }
    /// The field is in the file, and no problem was noted at it or below it.
    [[nodiscard]] bool read_well(const std::string& where) const;
    std::vector<FileProblem> take_problems();

  private:
    void note(const YAML::Mark& mark, const std::string& text);
    void entry(const YAML::Node& key, const YAML::Node& value, const std::string& where,
               const char* what, const std::vector<Key>& keys,
               std::initializer_list<const char*> later);

    std::string file_;
    std::map<std::string, YAML::Mark> marks_;
    std::vector<FileProblem> problems_;
};

}  // namespace ha::io
