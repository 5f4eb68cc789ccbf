#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "io/etcd_register.h"

namespace ha::witness {

/// The real etcd on loopback, one member or more, with TLS, client certificates and authentication
/// as docs/etcd.md says, in a directory that goes with it. Certificates are made with openssl(1).
class EtcdCluster {
  public:
    /// Started, with its users, without a store.
    explicit EtcdCluster(int members);
    ~EtcdCluster();
    EtcdCluster(const EtcdCluster&) = delete;
    EtcdCluster& operator=(const EtcdCluster&) = delete;

    /// All members; returns when they answer on their ports.
    void start();
    void start(int member);  // does not wait
    void kill();
    void kill(int member);
    void freeze();
    void thaw();
    /// As the administrator of an empty etcd does.
    void add_users();

    /// The member that leads, as one of the others or itself says; -1: none.
    [[nodiscard]] int leader() const;
    /// What nodes are told; the store is one that was set up, unless `store` is none.
    [[nodiscard]] io::EtcdRecord record(const Id128& store) const;
    /// Makes a store.
    [[nodiscard]] Id128 set_up() const;
    /// `etcdctl WORDS` as etcd's root, at all members that run.
    [[nodiscard]] std::string ctl(const std::string& words) const;
    [[nodiscard]] std::string data(int member = 0) const;
    [[nodiscard]] std::string directory() const { return base_; }
    /// The options of a member that a snapshot is restored for.
    [[nodiscard]] std::string restore_options() const;
    /// More words for each start to come.
    void set_options(std::vector<std::string> options) { options_ = std::move(options); }

  private:
    struct Member {
        std::uint16_t client_port = 0;
        std::uint16_t peer_port = 0;
        pid_t pid = -1;
    };

    void make_certificates() const;
    [[nodiscard]] std::string initial_cluster() const;
    [[nodiscard]] std::string endpoint(const Member& member) const;
    [[nodiscard]] std::vector<std::string> words(int member) const;

    std::string base_;
    std::vector<Member> members_;
    std::vector<std::string> options_;
    bool users_ = false;
};

}  // namespace ha::witness
