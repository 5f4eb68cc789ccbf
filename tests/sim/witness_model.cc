#include "witness_model.h"

#include <utility>

#include "describe.h"
#include "host.h"
#include "world.h"

namespace ha::sim {

using namespace cluster;

namespace {

constexpr Duration kPatience = 700ms;

}  // namespace

void WitnessModel::power(bool on) {
    powered_ = on;
    if (on || world_.mutant != Mutant::WitnessForgets) return;
    for (auto& [id, store] : stores_) {
        if (store.before) store.value = store.before;
    }
}

void WitnessModel::begin() {
    if (world_.witnesses == Witnesses::None || world_.witnesses == Witnesses::PingTarget) return;
    const bool has = world_.witnesses == Witnesses::One || world_.random.chance(500);
    if (has) configured_[0] = configured_[1] = world_.random.id();
    tick();
}

void WitnessModel::configure(Host& host, const Id128& store) {
    Id128& configured = configured_[index_of(host.self)];
    if (configured == store) return;
    configured = store;
    forget(host.self);
    host.clusterd.deliver(WitnessConfigured{store});
}

Id128 WitnessModel::another(Node node) {
    const Id128& now = configured(node);
    if (!now.none() && world_.random.chance(300)) return {};
    if (!stores_.empty() && world_.random.chance(500)) {
        auto each = stores_.begin();
        std::advance(each, world_.random.below(stores_.size()));
        if (each->first != now) return each->first;
    }
    return world_.random.id();
}

void WitnessModel::forget(Node node) {
    Client& client = clients_[index_of(node)];
    client.reached = false;
    client.pending = 0;
    client.answered = client.sent;  // what is under way is nobody's answer any more
}

/// Each client reads now and then, so that it notices a witness that is gone or back.
void WitnessModel::tick() {
    for (Node node : {Node::First, Node::Second}) {
        Host& host = world_.host(node);
        if (configured(node).none()) continue;
        if (!host.clusterd.alive() || world_.scheduler.paused(host.owner())) continue;
        Client& client = clients_[index_of(node)];
        if (client.reached && world_.now() - client.last_answer > kPatience) {
            forget(node);
            host.clusterd.deliver(WitnessLost{});
            continue;
        }
        request(host, std::nullopt);
    }
    world_.scheduler.after(world_.random.between(150ms, 250ms), Owner::World, [this] { tick(); });
}

void WitnessModel::ask(Host& host, const AskWitness& order) {
    if (clients_[index_of(host.self)].reached) request(host, order);
}

void WitnessModel::request(Host& host, std::optional<AskWitness> exchange) {
    Client& client = clients_[index_of(host.self)];
    const std::uint64_t serial = ++client.sent;
    if (exchange) client.pending = serial;
    if (!passes(host.self)) return;
    Duration takes = world_.random.between(100us, world_.weather.latency);
    if (exchange && world_.random.chance(60)) takes += world_.random.between(10ms, 8s);
    Store& store = stores_[configured(host.self)];
    world_.scheduler.after(takes, Owner::World, [this, &host, &store, serial, exchange] {
        if (!powered_) return;
        const bool matches =
            exchange && (store.value ? store.value->decision.id == exchange->expected
                                     : exchange->expected.none());
        if (matches) {
            store.before = std::exchange(store.value, exchange->value);
            world_.note("witness: " + describe(store.value->decision));
        }
        answer(host, store, serial, exchange.has_value());
    });
}

void WitnessModel::answer(Host& host, const Store& store, std::uint64_t serial, bool asked) {
    if (!passes(host.self) || world_.random.chance(20)) return;
    Duration takes = world_.random.between(100us, world_.weather.latency);
    world_.scheduler.after(takes, host.owner(), [this, &host, serial, asked, shown = store.value] {
        Client& client = clients_[index_of(host.self)];
        if (serial <= client.answered || !host.clusterd.alive()) return;
        if (client.pending != 0 && serial > client.pending) {  // on one stream: the answer is lost
            forget(host.self);
            return host.clusterd.deliver(WitnessLost{});
        }
        if (serial == client.pending) client.pending = 0;
        client.answered = serial;
        client.last_answer = world_.now();
        const bool news = !std::exchange(client.reached, true) || shown != client.told || asked;
        if (!news) return;
        client.told = shown;
        host.clusterd.deliver(RegisterShown{shown});
    });
}

}  // namespace ha::sim
