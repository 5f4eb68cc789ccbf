#include "core/ports/register.h"

namespace ha::ports {

const char* name(RegisterOutcome outcome) {
    switch (outcome) {
        case RegisterOutcome::Shown:
            return "shown";
        case RegisterOutcome::Won:
            return "won";
        case RegisterOutcome::Lost:
            return "lost";
        case RegisterOutcome::Refused:
            return "refused";
        case RegisterOutcome::Uncertain:
            return "uncertain";
    }
    return "?";
}

const char* name(RegisterRefusal refusal) {
    switch (refusal) {
        case RegisterRefusal::None:
            return "none";
        case RegisterRefusal::Unreachable:
            return "unreachable";
        case RegisterRefusal::NotPaired:
            return "not-paired";
        case RegisterRefusal::Foreign:
            return "foreign";
        case RegisterRefusal::Damaged:
            return "damaged";
        case RegisterRefusal::Behind:
            return "behind";
        case RegisterRefusal::Full:
            return "full";
        case RegisterRefusal::Unwritable:
            return "unwritable";
        case RegisterRefusal::Conflict:
            return "conflict";
        case RegisterRefusal::Invalid:
            return "invalid";
        case RegisterRefusal::Version:
            return "version";
    }
    return "?";
}

}  // namespace ha::ports
