#include <filesystem>
#include <fstream>

#include "register_world.h"
#include "witness_process.h"

namespace ha::witness {
namespace {

namespace fs = std::filesystem;

class WitnessWorld final : public RegisterWorld {
  public:
    WitnessWorld() {
        process_.start();
        auto paired = process_.pair(nodes_[0], nodes_[1]);
        if (!paired) throw std::runtime_error(paired.error().text);
        record_ = *paired;
    }

    std::unique_ptr<ports::Register> open(io::Loop& loop, int node) override {
        auto context = io::TlsContext::create(nodes_[static_cast<std::size_t>(node)]).value();
        auto client = std::make_unique<io::WitnessClient>(loop, context, record_);
        client->start();
        return client;
    }
    void crash() override { process_.kill(); }
    void start() override { process_.start(); }
    void freeze() override { process_.freeze(); }
    void thaw() override { process_.thaw(); }
    void back_up() override { replace(process_.state(), backup()); }
    void restore() override { replace(backup(), process_.state()); }
    void wipe() override {
        for (const auto& each : fs::directory_iterator(process_.state() + "/clusters"))
            fs::remove(each);
    }
    void damage() override {
        std::fstream file(process_.file(record_.store),
                          std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(40);
        file.put('\x55');
    }

  private:
    [[nodiscard]] std::string backup() const { return process_.state() + ".backup"; }
    static void replace(const std::string& from, const std::string& to) {
        fs::remove_all(to);
        fs::copy(from, to, fs::copy_options::recursive);
    }

    WitnessProcess process_;
    io::Identity nodes_[2] = {io::Identity::generate("node1").value(),
                              io::Identity::generate("node2").value()};
    io::WitnessRecord record_;
};

}  // namespace

std::unique_ptr<RegisterWorld> witness_world() {
    return std::make_unique<WitnessWorld>();
}

}  // namespace ha::witness
