// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "jinja/compiled.h"

namespace dynamo::jinja::detail {

/// Resolves every variable of a parsed template to a slot, by Jinja2's rules: which names a scope
/// owns, what they start as (the outer variable of that name, the context's, or nothing), what
/// macros and loops see. Fills root, names and blocks of `code`. Throws a Failure of kind syntax,
/// also for unknown filters and tests outside of conditions.
void bind(Template::Compiled& code, const Body& body);

}  // namespace dynamo::jinja::detail
