#include "clusterd/configurations.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "io/config_system_check.h"
#include "io/gate_file.h"
#include "io/systemd.h"
#include "io/text_file.h"
#include "io/yaml_config.h"

namespace ha::clusterd {
namespace {

std::string joined(const std::vector<std::string>& list) {
    std::string all;
    for (const auto& item : list) all += (all.empty() ? "" : ", ") + item;
    return all.empty() ? "none" : all;
}

std::string without_last_line_end(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

std::vector<std::string> paths(const config::ModuleConfig& module) {
    std::vector<std::string> list;
    for (const auto& directory : module.replicate) list.push_back(directory.path);
    return list;
}

/// Where the mirror is mounted: systemd names its mount units by that.
std::vector<std::string> mount_points(const config::ModuleConfig& module) {
    std::vector<std::string> list;
    for (const auto& path : paths(module)) {
        std::error_code unresolved;
        auto real = std::filesystem::canonical(path, unresolved);
        list.push_back(unresolved ? path : real.string());
    }
    return list;
}

std::string installed_path(const std::string& directory, const std::string& module) {
    return directory + "/modules/" + module + ".yaml";
}

/// systemd read the generator's drop-in for every unit, or a unit could start on both nodes.
Result<> verify_gates(sd_bus* bus, const config::ModuleConfig& module) {
    for (const auto& unit : module.units) {
        auto gated = io::ordered_after(bus, unit, "ha-primary@" + module.name + ".target");
        if (!gated) return tl::unexpected(gated.error());
        if (!*gated) {
            return fail(unit +
                        " does not carry the gate after systemd reread its units; see "
                        "'systemctl cat " +
                        unit + "'");
        }
    }
    return {};
}

}  // namespace

Configurations::Configurations(std::string directory) : directory_(std::move(directory)) {}

Result<> Configurations::load() {
    std::string file = directory_ + "/cluster.yaml";
    auto text = io::read_config_text(file);
    if (!text) return tl::unexpected(text.error());
    auto cluster = io::parse_cluster(*text, file);
    if (!cluster.value) return fail(cluster.messages());
    cluster_ = *cluster.value;
    auto modules = io::load_modules(directory_, cluster_);
    if (modules.value) modules_ = *modules.value;
    if (!modules.problems.empty()) return fail(modules.messages());
    return {};
}

const config::ModuleConfig* Configurations::find(const std::string& module) const {
    auto found = std::find_if(modules_.begin(), modules_.end(),
                              [&](const auto& known) { return known.name == module; });
    return found == modules_.end() ? nullptr : &*found;
}

Result<Candidate> Configurations::read(const std::string& text, const std::string& file) const {
    auto parsed = io::parse_module(text, file, cluster_, modules_);
    if (!parsed.value) return fail(parsed.messages());
    Candidate candidate{*parsed.value, text};
    if (candidate.config.port != 0) return candidate;
    const auto* installed = find(candidate.config.name);
    std::uint16_t port =
        installed != nullptr ? installed->port : config::free_port(cluster_, modules_);
    if (port == 0) return fail("no port is left for another module");
    auto with_port = io::with_port(text, port);
    if (!with_port) return tl::unexpected(with_port.error());
    candidate.config.port = port;
    candidate.text = *with_port;
    return candidate;
}

std::string Configurations::problems(const std::string& text, const std::string& file,
                                     const std::string& node) const {
    return io::parse_module(
               text, file, cluster_, modules_,
               [&](const config::ModuleConfig& module) { return io::check_system(module, node); })
        .messages();
}

std::string Configurations::plan(const Candidate& candidate) const {
    const auto* installed = find(candidate.config.name);
    const auto& module = candidate.config;
    if (installed != nullptr && io::render(*installed) == io::render(module)) return "";
    std::string verb = installed == nullptr ? "new module " : "changed module ";
    std::string text = verb + module.name + "\n";
    text += "  mirrors        " + joined(paths(module)) + "\n";
    text += "  virtual IPs    " + joined(module.virtual_ips) + "\n";
    text += "  units          " + joined(module.units) + "\n";
    text += "  mirror port    " + std::to_string(module.port) + "\n";
    text += std::string("  policy         ") + config::name(module.policy) + "\n";
    if (installed == nullptr && !module.units.empty()) {
        text +=
            "  From now on these units run only where the module is served. When the module is "
            "opened\n  (ha-cluster.target active) they are stopped, until 'hamirrorctl start " +
            module.name + " --as-source'\n  is given on the node that has the good data.\n";
    }
    return text;
}

std::string Configurations::outcome(const Candidate& candidate, const Installed& installed) {
    const auto& name = candidate.config.name;
    std::string text = "Installed on " + installed.here +
                       (installed.on_both ? " and " + installed.there : " alone") + " as " +
                       installed_path(io::kConfigDirectory, name) + ", SHA-256 " +
                       io::content_hash(candidate.text).substr(0, 12) + "...\n";
    if (!installed.on_both) {
        return text + "Next, on " + installed.there + ", the same file: hamirrorctl apply FILE\n";
    }
    if (!installed.is_started) {
        text += "Next, on both nodes: systemctl enable --now ha-cluster.target\n";
    }
    if (installed.has_data) return text + "Next, on both nodes: hamirrorctl start " + name + "\n";
    return text + "Next, on the node that has the good data: hamirrorctl start " + name +
           " --as-source\n";
}

/// A directory that joined would carry no marker and hold nobody's copy; what is no longer excluded
/// was never compared.
std::string Configurations::unsupported_change(const config::ModuleConfig& installed,
                                               const config::ModuleConfig& wanted) {
    auto same = [](const config::ReplicatedDirectory& a, const config::ReplicatedDirectory& b) {
        return a.path == b.path && a.exclude == b.exclude;
    };
    if (std::equal(installed.replicate.begin(), installed.replicate.end(), wanted.replicate.begin(),
                   wanted.replicate.end(), same)) {
        return "";
    }
    return "Module " + wanted.name +
           " has data, and its list of mirrored directories (replicate: paths, their order, "
           "exclude) cannot be changed in this version, running or stopped; nothing was changed. "
           "It is: " +
           joined(paths(installed)) +
           ". Mirror other directories by another module, or remove this one and make it anew "
           "(/usr/share/doc/hamirror/removal.md).";
}

Result<> Configurations::install(const Candidate& candidate, const std::string& directory) {
    const auto& module = candidate.config;
    auto made = io::make_directory(directory + "/modules", 0755);
    if (!made) return made;
    // The gate first: a unit gated too early does not start, one gated too late starts twice.
    auto gated =
        io::write_gate({module.name, module.units, mount_points(module)}, directory + "/gate.d");
    if (!gated) return gated;
    auto written =
        io::write_text_durable(installed_path(directory, module.name), candidate.text, 0644);
    if (!written) return written;
    auto bus = io::open_systemd(20s);
    if (!bus) return tl::unexpected(bus.error());
    auto reloaded = io::reload_systemd(bus->get());
    if (!reloaded) return reloaded;
    return verify_gates(bus->get(), module);
}

void Configurations::adopt(const Candidate& candidate) {
    auto same = [&](const auto& known) { return known.name == candidate.config.name; };
    modules_.erase(std::remove_if(modules_.begin(), modules_.end(), same), modules_.end());
    modules_.push_back(candidate.config);
}

// ---- the witness
// ------------------------------------------------------------------------------------

/// The file is read again: what an administrator edited since the start is kept.
Result<std::string> Configurations::with_witness(
    const std::optional<config::WitnessConfig>& witness, const std::string& directory) {
    const std::string file = directory + "/cluster.yaml";
    auto text = io::read_config_text(file);
    if (!text) return tl::unexpected(text.error());
    auto cluster = io::parse_cluster(*text, file);
    if (!cluster.value) return fail(without_last_line_end(cluster.messages()));
    cluster.value->witness = witness;
    std::string problems;
    for (const auto& problem : config::check(*cluster.value)) problems += problem.text + "\n";
    if (!problems.empty()) return fail(without_last_line_end(problems));
    return io::render(*cluster.value);
}

Result<> Configurations::install_witness(const std::optional<config::WitnessConfig>& witness,
                                         const std::string& directory) {
    auto text = with_witness(witness, directory);
    if (!text) return tl::unexpected(text.error());
    return io::write_text_durable(directory + "/cluster.yaml", *text, 0644);
}

void Configurations::adopt_witness(std::optional<config::WitnessConfig> witness) {
    cluster_.witness = std::move(witness);
}

std::string Configurations::name_of(const config::WitnessConfig& witness) {
    if (witness.etcd) return "the etcd at " + joined(witness.etcd->endpoints);
    return joined(witness.addresses) + ", port " + std::to_string(witness.port);
}

std::string Configurations::witness_outcome(const std::optional<config::WitnessConfig>& before,
                                            const std::optional<config::WitnessConfig>& now,
                                            const std::string& nodes) {
    std::string text = now ? "Recorded on " + nodes + ": the witness is " + name_of(*now) + ".\n"
                           : "Recorded on " + nodes + ": there is no witness.\n";
    if (!before || (now && before->key == now->key && before->store == now->store)) return text;
    text += "The one before, " + (before->etcd ? name_of(*before) : joined(before->addresses)) +
            ", still keeps this pair's registers. To remove them, there:\n";
    if (before->etcd) {
        return text + "    etcdctl del --prefix " + before->etcd->prefix + "/" +
               before->store.text() + "/\n";
    }
    return text +
           "    systemctl stop ha-witness\n"
           "    hamirror-witness remove " +
           before->store.text() +
           "\n"
           "    systemctl start ha-witness\n";
}

}  // namespace ha::clusterd
