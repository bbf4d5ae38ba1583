// SPDX-License-Identifier: Apache-2.0
#pragma once

/// The core vocabulary of every library. It lives in dynamo::base and is named without
/// qualification inside namespace dynamo: Result, Error, Errc, Json, Deadline, Clock.
namespace dynamo::base {
class Error;
class Json;
class JsonObject;
class Deadline;
class Clock;
class Rng;
}  // namespace dynamo::base
