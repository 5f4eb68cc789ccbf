#include "io/etcd_setup.h"

#include <algorithm>

#include "io/boot_id.h"
#include "io/clock.h"
#include "io/etcd_config.h"

namespace ha::io {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;

/// No module can be called so.
constexpr const char* kNoModule = "-";

/// What one endpoint alone says.
struct Heard {
    std::unique_ptr<EtcdRegister> etcd;
    std::optional<RegisterAnswer> answer;

    /// Its transaction was answered, whatever is in the store.
    [[nodiscard]] bool answered() const { return etcd->cluster() != 0; }
};

Result<> turn(Loop& loop, const std::function<bool()>& done) {
    while (!done()) {
        if (sd_event_run(loop.raw(), UINT64_MAX) < 0) return fail("the event loop failed");
    }
    return {};
}

/// All endpoints at once, each for itself. Any cluster will do, and a store that is not there.
Result<std::vector<Heard>> hear_all(Loop& loop, const EtcdRecord& record, Duration patience) {
    std::vector<Heard> out(record.endpoints.size());
    std::size_t open = out.size();
    const auto limit = boot_now() + patience;
    for (std::size_t i = 0; i < out.size(); ++i) {
        auto one = record;
        one.endpoints = {record.endpoints[i]};
        one.cluster = 0;
        out[i].etcd = std::make_unique<EtcdRegister>(loop, one);
        out[i].etcd->read(kNoModule, {}, limit, [&out, &open, i](const RegisterAnswer& answer) {
            out[i].answer = answer;
            --open;
        });
    }
    if (auto turned = turn(loop, [&] { return open == 0; }); !turned) {
        return tl::unexpected(turned.error());
    }
    return out;
}

/// Keeps the endpoints that answered; all of them are members of one etcd.
Result<> sort_out(const std::vector<Heard>& heard, EtcdRecord& record,
                  std::vector<std::string>& unanswered) {
    std::vector<std::string> answered;
    for (std::size_t i = 0; i < heard.size(); ++i) {
        const auto& endpoint = record.endpoints[i];
        if (!heard[i].answered()) {
            unanswered.push_back(endpoint + ": " + heard[i].answer->text);
            continue;
        }
        if (record.cluster != 0 && record.cluster != heard[i].etcd->cluster()) {
            return fail(endpoint + " and " + answered.front() + " belong to two etcds");
        }
        record.cluster = heard[i].etcd->cluster();
        answered.push_back(endpoint);
    }
    if (answered.empty()) return fail(unanswered.front());
    record.endpoints = answered;
    return {};
}

bool is_whole(const std::vector<Heard>& heard) {
    return std::any_of(heard.begin(), heard.end(), [](const Heard& each) {
        return each.answer->outcome == RegisterOutcome::Shown;
    });
}

Result<> make_store(Loop& loop, const EtcdRecord& record, Duration patience) {
    EtcdRegister etcd(loop, record);
    std::optional<RegisterAnswer> answer;
    etcd.set_up(boot_now() + patience, [&answer](const RegisterAnswer& given) { answer = given; });
    if (auto turned = turn(loop, [&] { return answer.has_value(); }); !turned) return turned;
    if (answer->outcome == RegisterOutcome::Shown) return {};
    return fail(answer->text);
}

}  // namespace

Result<EtcdSetUp> set_up_etcd(const config::WitnessConfig& wanted,
                              const std::optional<config::WitnessConfig>& before,
                              Duration patience) {
    EtcdSetUp out{wanted, {}};
    const bool may_stay = before && before->etcd && before->etcd->prefix == wanted.etcd->prefix;
    out.witness.store = may_stay ? before->store : random_id();
    auto record = etcd_record_of(out.witness);
    record.cluster = 0;
    Loop loop;
    auto heard = hear_all(loop, record, patience);
    if (!heard) return tl::unexpected(heard.error());
    if (auto sorted = sort_out(*heard, record, out.unanswered); !sorted) {
        return tl::unexpected(sorted.error());
    }
    out.witness.etcd->cluster = etcd_cluster_text(record.cluster);
    if (may_stay && before->etcd->cluster == out.witness.etcd->cluster && is_whole(*heard)) {
        return out;
    }
    out.witness.store = record.store.id = random_id();
    if (auto made = make_store(loop, record, patience); !made) return tl::unexpected(made.error());
    return out;
}

class EtcdProbe::Asked {
  public:
    Asked(Loop& loop, const config::WitnessConfig& witness,
          std::function<void(const Result<>&)> done)
        : etcd_(loop, etcd_record_of(witness)) {
        etcd_.read(kNoModule, {}, boot_now() + kEtcdPatience,
                   [done = std::move(done)](const RegisterAnswer& answer) {
                       if (answer.outcome == RegisterOutcome::Shown) return done({});
                       done(fail(answer.text));
                   });
    }

  private:
    EtcdRegister etcd_;
};

EtcdProbe::EtcdProbe(Loop& loop, const config::WitnessConfig& witness,
                     std::function<void(const Result<>&)> done)
    : asked_(std::make_unique<Asked>(loop, witness, std::move(done))) {}
EtcdProbe::~EtcdProbe() = default;

}  // namespace ha::io
