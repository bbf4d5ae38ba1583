// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "arguments.h"

namespace dynamo::run {

/// Loads the model and does what `in=` asks for: serves HTTP until a signal, or answers on the
/// terminal or from a file. Returns the process's exit status; failures are printed.
int run(const Arguments& arguments);

/// Prints {"command": …, "settings": …}: the command line and every variable with its source.
int print_config(const Arguments& arguments);

}  // namespace dynamo::run
