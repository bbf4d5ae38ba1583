// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "jinja/compiled.h"

namespace dynamo::jinja::detail {

/// Fills `mentions` and the facts that follow from the code alone.
void collect_facts(Template::Compiled& code);

/// Whether some loop walks a message's content: only then can content arrays be rendered as such.
bool walks_content(const Template::Compiled& code);

}  // namespace dynamo::jinja::detail
