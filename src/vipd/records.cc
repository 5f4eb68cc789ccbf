#include "vipd/records.h"

#include <filesystem>
#include <fstream>

namespace ha::vipd {

namespace fs = std::filesystem;

Result<> remember(const Record& record, const std::string& directory) {
    std::error_code error;
    fs::create_directories(directory, error);
    const auto path = directory + "/" + record.vip.address.text();
    std::ofstream out(path, std::ios::trunc);
    out << record.module << " " << record.vip.text() << "\n";
    out.flush();
    if (!out) return fail("cannot write " + path);
    return {};
}

void forget(vip::Ipv4 address, const std::string& directory) {
    std::error_code error;
    fs::remove(directory + "/" + address.text(), error);
}

std::vector<Record> recall(const std::string& directory) {
    std::vector<Record> records;
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
        const auto address = vip::Ipv4::parse(at->path().filename().string());
        if (!address) continue;
        Record record{"", {*address, 32, ""}};
        std::ifstream in(at->path());
        std::string module;
        std::string text;
        if (in >> module >> text) {
            record.module = module;
            if (auto vip = vip::Vip::parse(text); vip && vip->address == *address)
                record.vip = *vip;
        }
        records.push_back(record);
    }
    return records;
}

}  // namespace ha::vipd
