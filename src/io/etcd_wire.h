#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/ports/register.h"

// What is said to an etcd, in the JSON of its gateway (etcd's api/etcdserverpb/rpc.proto, "v3"),
// and what its answers mean. docs/etcd.md has the keys and their grammar.
//
// The counter of a store costs no key and no round trip of its own: it is the *version* of the
// store's key, which etcd counts up with each put of it. An exchange is one transaction: it
// compares that the store is whole, no older than anybody has seen it and that the module shows the
// id expected, and puts both keys. Nothing has to be read before, and two modules never wait for
// each other. etcd's revision would not do: it counts what others write, too.

namespace ha::io {

/// The longest answer to a transaction of ours, with room; what is longer is none.
inline constexpr std::size_t kMaxEtcdReply = 16384;

/// The keys of a store: PREFIX/STORE/...
struct EtcdStore {
    std::string prefix;  // without a slash at its end
    Id128 id;

    [[nodiscard]] std::string own_key() const;
    [[nodiscard]] std::string module_key(const std::string& module) const;
};

// Bodies of POST /v3/kv/txn. Each shows the store's key and the module's as they are afterwards.

std::string etcd_read(const EtcdStore& store, const std::string& module);
/// Changes nothing unless the store's counter is at least `seen`.
std::string etcd_exchange(const EtcdStore& store, const std::string& module, std::uint64_t seen,
                          const ports::RegisterExchange& wanted);
/// Marks the store as older than `seen`, if it is.
std::string etcd_mark_behind(const EtcdStore& store, const std::string& module, std::uint64_t seen);
/// Makes the store, unless it is there.
std::string etcd_set_up(const EtcdStore& store);

/// Body of POST /v3/auth/authenticate.
std::string etcd_authenticate(const std::string& user, const std::string& password);

/// What a transaction has shown.
struct EtcdView {
    std::uint64_t cluster = 0;  // etcd's id of itself, the same of all members; never 0
    struct Value {
        std::string bytes;
        std::uint64_t version = 0;  // puts since it was made, at least 1
    };
    std::optional<Value> store;
    std::optional<Value> module;
};
/// `keys` are those that were asked for. An error: that is no answer of an etcd.
Result<EtcdView> decode_etcd_view(const std::string& body, const EtcdStore& store,
                                  const std::string& module);
Result<std::string> decode_etcd_token(const std::string& body);

/// What the register says by this view to who asked for `request`, having seen `seen`. Nothing: the
/// store is behind and has to be marked before anybody is told so.
std::optional<ports::RegisterAnswer> answer_of(const EtcdView& view, const EtcdStore& store,
                                               const ports::RegisterRequest& request,
                                               std::uint64_t seen);

/// What follows from an answer that is not 200.
enum class EtcdFault : std::uint8_t {
    Unknown,  // whether the transaction was or will be done
    Later,    // it was not done; the same may succeed in a moment
    Token,    // it was not done; authenticate anew
    Refused   // it was not done, and a person has to mend something
};
struct EtcdError {
    EtcdFault fault = EtcdFault::Unknown;
    ports::RegisterRefusal refusal = ports::RegisterRefusal::None;  // of Refused
    std::string text;
};
EtcdError decode_etcd_error(int http_status, const std::string& body);

}  // namespace ha::io
