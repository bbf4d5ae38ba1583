// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/engine.h>
#include <dynamo/llm/model_card.h>
#include <dynamo/runtime/fwd.h>

#include <memory>
#include <string>

#include "arguments.h"

namespace dynamo::run {

/// What the command line asks to serve.
struct LoadedModel {
  llm::ModelCardPtr card;
  std::shared_ptr<llm::TokenEngine> engine;
};

/// Loads card and engine; shows progress on standard error when that is a terminal. Takes seconds.
/// `pool` compiles grammars and must outlive the engine.
/// Errors name the path, or the key of --extra-engine-args.
Result<LoadedModel> load_model(const Arguments& arguments, runtime::ComputePool& pool);

/// "CUDA on", "Metal on", or "CPU mode", with the way to change it. Empty for engines without a
/// model.
std::string device_line(const Arguments& arguments);

}  // namespace dynamo::run
