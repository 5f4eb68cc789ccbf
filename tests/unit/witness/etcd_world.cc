#include <filesystem>

#include "etcd_cluster.h"
#include "register_world.h"

namespace ha::witness {
namespace {

namespace fs = std::filesystem;

class EtcdWorld final : public RegisterWorld {
  public:
    std::unique_ptr<ports::Register> open(io::Loop& loop, int) override {
        return std::make_unique<io::EtcdRegister>(loop, etcd_.record(store_));
    }
    void crash() override { etcd_.kill(); }
    void start() override { etcd_.start(); }
    void freeze() override { etcd_.freeze(); }
    void thaw() override { etcd_.thaw(); }
    void back_up() override { replace(etcd_.data(), backup()); }
    void restore() override { replace(backup(), etcd_.data()); }
    /// With its users, so that it is the store that is missed.
    void wipe() override {
        fs::remove_all(etcd_.data());
        etcd_.start();
        etcd_.add_users();
        etcd_.kill();
    }
    /// Of its own files etcd takes care: it does not start. What is left is a key that was written
    /// over.
    void damage() override {
        etcd_.start();
        (void)etcd_.ctl("put " + etcd_.record(store_).store.own_key() + " by-hand");
        etcd_.kill();
    }

  private:
    [[nodiscard]] std::string backup() const { return etcd_.data() + ".backup"; }
    static void replace(const std::string& from, const std::string& to) {
        fs::remove_all(to);
        fs::copy(from, to, fs::copy_options::recursive);
    }

    EtcdCluster etcd_{1};
    Id128 store_ = etcd_.set_up();
};

}  // namespace

std::unique_ptr<RegisterWorld> etcd_world() {
    return std::make_unique<EtcdWorld>();
}

}  // namespace ha::witness
