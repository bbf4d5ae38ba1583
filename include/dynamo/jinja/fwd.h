// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace dynamo::jinja {
class Context;
class Template;
struct Budget;
struct Facts;
struct RenderOptions;
}  // namespace dynamo::jinja
