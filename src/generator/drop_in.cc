#include "generator/drop_in.h"

namespace ha::generator {

std::string drop_in(const std::string& unit, const std::vector<std::string>& modules) {
    const bool service = unit.ends_with(".service");
    std::string text = "# Written by hamirror-generator(8) from /etc/hamirror/gate.d.\n[Unit]\n";
    for (const auto& module : modules) {
        const auto target = "ha-primary@" + module + ".target";
        text += "PartOf=" + target + "\nAfter=" + target + "\n";
        if (!service) text += "ConditionPathExists=/run/hamirror/primary/" + module + "\n";
    }
    text += "Documentation=man:hamirror-gate(8)\n";
    if (!service) return text;
    text += "\n[Service]\n";
    for (const auto& module : modules)
        text += "ExecCondition=+/usr/lib/hamirror/gate " + module + "\n";
    return text;
}

std::map<std::string, std::string> drop_ins(const std::vector<io::GateFinding>& gates) {
    std::map<std::string, std::vector<std::string>> owners;
    for (const auto& found : gates) {
        for (const auto& unit : found.gate.units) owners[unit].push_back(found.gate.module);
    }
    std::map<std::string, std::string> texts;
    for (const auto& [unit, modules] : owners) texts[unit] = drop_in(unit, modules);
    return texts;
}

}  // namespace ha::generator
