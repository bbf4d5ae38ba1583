// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "jinja/compiled.h"

namespace dynamo::jinja::detail {

/// Fills `mentions` and the facts that follow from the code alone.
void collect_facts(Template::Compiled& code);

}  // namespace dynamo::jinja::detail
